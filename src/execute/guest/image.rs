//! Where the guest's image is.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, ensure};

/// Names the image where it is not on the command line.
const VARIABLE: &str = "KMEM_RIG_GUEST";
/// Names the image that counts what it runs.
const COVERAGE_VARIABLE: &str = "KMEM_RIG_GUEST_COVERAGE";
/// The image's place in a target folder.
const IN_TARGET: &str = "riscv64gc-unknown-none-elf/release/kmem-rig-guest";
/// The place of the one with every subject that the rig knows.
const ALL_IN_TARGET: &str = "riscv64gc-unknown-none-elf/release/kmem-rig-guest-all";
/// The place of the image that counts what it runs: a target folder of its own within one.
const COVERAGE_IN_TARGET: &str = "guest-coverage/riscv64gc-unknown-none-elf/release/kmem-rig-guest";
/// A target folder's place in a workspace, unless Cargo was told otherwise.
const TARGET: &str = "target";

/// Finds the image: as named (`--guest`), else by `KMEM_RIG_GUEST`, else inside this program
/// (feature `embed-guest`), else in the target folder that this program lies in, else in a `target`
/// folder of the current directory or one above it. A program that knows more subjects than the
/// usual ones prefers the image that has them all.
///
/// # Errors
/// When there is none; the message says how to build it.
pub fn find_image(explicit: Option<&Path>) -> Result<PathBuf> {
    let sought = Sought {
        in_target: match cfg!(any(feature = "controls", feature = "mutants")) {
            true => &[ALL_IN_TARGET, IN_TARGET],
            false => &[IN_TARGET],
        },
        variable: VARIABLE,
        verb: "make build",
    };
    match sought.named(explicit)? {
        Some(named) => Ok(named),
        #[cfg(feature = "embed-guest")]
        None => super::embedded::path(),
        #[cfg(not(feature = "embed-guest"))]
        None => sought.search(),
    }
}

/// Finds the image that counts what it runs: by `KMEM_RIG_GUEST_COVERAGE`, else as [`find_image`]
/// does.
///
/// # Errors
/// When there is none; the message says how to build it.
pub fn find_coverage_image() -> Result<PathBuf> {
    let sought = Sought {
        in_target: &[COVERAGE_IN_TARGET],
        variable: COVERAGE_VARIABLE,
        verb: "make guest-coverage",
    };
    match sought.named(None)? {
        Some(named) => Ok(named),
        None => sought.search(),
    }
}

/// One of the images.
struct Sought {
    /// Its places in a target folder, the one to prefer first.
    in_target: &'static [&'static str],
    variable: &'static str,
    /// What builds it.
    verb: &'static str,
}

impl Sought {
    /// The image on the command line, or that of the environment.
    fn named(&self, explicit: Option<&Path>) -> Result<Option<PathBuf>> {
        let Self { variable, verb, .. } = self;
        let by_variable = env::var_os(variable).filter(|value| !value.is_empty());
        let named = explicit.map(Path::to_path_buf);
        let named = named.or_else(|| by_variable.map(PathBuf::from));
        if let Some(named) = &named {
            ensure!(
                named.is_file(),
                "no guest image at `{}`: build it with `{verb}`, or name it with `--guest PATH` or \
                 {variable}",
                named.display()
            );
        }
        Ok(named)
    }

    fn search(&self) -> Result<PathBuf> {
        let program = env::current_exe().ok();
        let folder = env::current_dir().ok();
        let Self {
            in_target,
            variable,
            verb,
        } = self;
        let mut places = in_target.iter();
        places
            .find_map(|place| search(place, program.as_deref(), folder.as_deref()))
            .ok_or_else(|| {
                let place = in_target.last().copied().unwrap_or_default();
                anyhow!(
                    "no guest image `{place}` in this program's target folder, nor in `{TARGET}` \
                     here or above: build it with `{verb}`, or name it with `--guest PATH` or \
                     {variable}; `make install` in a clone of kmem-rig installs a `kmem-rig` that \
                     has it inside"
                )
            })
    }
}

/// The image beside `program`, or in a target folder at or above `folder`.
fn search(in_target: &str, program: Option<&Path>, folder: Option<&Path>) -> Option<PathBuf> {
    let beside = program
        .into_iter()
        .flat_map(Path::ancestors)
        .map(|above| above.join(in_target));
    let below = folder
        .into_iter()
        .flat_map(Path::ancestors)
        .map(|above| above.join(TARGET).join(in_target));
    beside.chain(below).find(|image| image.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image_in(target: &Path) -> PathBuf {
        let image = target.join(IN_TARGET);
        std::fs::create_dir_all(image.parent().unwrap()).unwrap();
        std::fs::write(&image, "").unwrap();
        image
    }

    #[test]
    fn the_image_lies_in_the_programs_target_folder_or_above_the_current_one() {
        let root = tempfile::tempdir().unwrap();
        let built = image_in(&root.path().join("elsewhere"));
        let program = root.path().join("elsewhere/debug/deps/test");
        assert_eq!(
            search(IN_TARGET, Some(&program), Some(root.path())),
            Some(built.clone())
        );

        let here = image_in(&root.path().join("work/target"));
        let folder = root.path().join("work/qemu-tests/guest");
        let stranger = root.path().join("bin/kmem-rig");
        assert_eq!(
            search(IN_TARGET, Some(&stranger), Some(&folder)),
            Some(here)
        );
        assert_eq!(
            search(IN_TARGET, Some(&program), Some(&folder)),
            Some(built)
        );
        assert_eq!(search(IN_TARGET, Some(&stranger), Some(root.path())), None);
    }

    #[test]
    fn a_named_image_that_is_missing_is_an_error_that_says_how_to_build_it() {
        let error = find_image(Some(Path::new("no/such/image")))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`no/such/image`") && error.contains("make build"),
            "{error}"
        );
    }
}
