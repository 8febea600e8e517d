//! Where source files lie: host and guest name a line of code alike, whoever built them.

/// A source file's path from its crate's folder on, `kmem/src/page.rs` or
/// `talc-4.4.1/src/lib.rs`: where that folder lies is the builder's affair. A crate that Cargo was
/// started in has no folder's name in its paths, which begin with `src` then.
#[must_use]
pub fn within_crate(file: &str) -> &str {
    let before_crate = |src: usize| file[..src].rfind('/').map_or(0, |slash| slash + 1);
    file.rfind("/src/")
        .map_or(file, |src| &file[before_crate(src)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_start_with_the_crate() {
        for (file, expected) in [
            ("/anywhere/kmem/src/page.rs", "kmem/src/page.rs"),
            ("/r/x-1/talc-4.4.1/src/a/b.rs", "talc-4.4.1/src/a/b.rs"),
            ("kmem/src/page.rs", "kmem/src/page.rs"),
            ("src/serve.rs", "src/serve.rs"),
        ] {
            assert_eq!(within_crate(file), expected);
        }
    }
}
