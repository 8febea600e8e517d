//! The page about CI, held to the workflows and the Makefiles that it speaks of.

use std::fs;

use testkit::root;

use crate::page;

#[test]
fn the_workflow_is_the_one_that_new_writes() {
    let page = page("ci.md");
    let shown = &page.blocks_of("yaml").next().expect("a workflow").text;
    let written = root().join("examples/own-allocator/.github/workflows/ci.yml");
    let written = fs::read_to_string(written).unwrap();
    assert!(written.contains(shown.as_str()), "{written}");
}

/// Each `make VERB` of a workspace, and behind the heading of the rig's own each of the rig.
#[test]
fn every_verb_is_there() {
    let page = page("ci.md");
    let own = page.headings.iter().find(|h| h.text == "The rig's own");
    let (theirs, ours) = page.text.split_at(own.expect("its heading").start);
    for (text, makefile) in [
        (theirs, "examples/own-allocator/Makefile"),
        (ours, "Makefile"),
    ] {
        let makefile = fs::read_to_string(root().join(makefile)).unwrap();
        let verbs: Vec<_> = text
            .split(['`', '\n'])
            .filter_map(|part| part.strip_prefix("make ")?.split(' ').next())
            .collect();
        assert!(!verbs.is_empty());
        for verb in verbs {
            assert!(makefile.contains(&format!("\n{verb}:")), "make {verb}");
        }
    }
}
