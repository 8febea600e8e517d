//! The rules reference: a section for each rule and no other, and in each an example in which it
//! fires, on both sides.

use kmem_rig::guest::{Guest, find_image};
use kmem_rig::host::Host;
use kmem_rig::input::Reading;
use kmem_rig::regression::Regression;
use kmem_rig::replay::{self, Job, Sides, Summary};
use kmem_rig::rules::{Rule, RuleSet};

use crate::page;
use crate::page::{Block, Heading, Page};

/// The only rule of which no subject has an example. The test `tutorial` runs what the page says of
/// it.
const ELSEWHERE: Rule = Rule::HostGuest;

const SETS: [(&str, RuleSet); 5] = [
    ("Contract", RuleSet::Contract),
    ("Structure", RuleSet::Structure),
    ("Policy", RuleSet::Policy),
    ("Misuse", RuleSet::Misuse),
    ("Machine", RuleSet::Machine),
];

fn sections(page: &Page) -> Vec<(Rule, &Heading)> {
    let headings = page.headings.iter().filter(|heading| heading.level == 3);
    let rule = |heading: &Heading| heading.text.parse();
    headings
        .map(|heading| {
            let rule = rule(heading);
            let rule = rule.unwrap_or_else(|_| panic!("`{}` is no rule", heading.text));
            (rule, heading)
        })
        .collect()
}

/// The example of a section.
fn example<'a>(page: &'a Page, heading: &Heading) -> &'a Block {
    let section = page.section(heading);
    let mut traces = page.blocks_of("trace");
    traces
        .find(|block| section.contains(&block.range.start))
        .unwrap_or_else(|| panic!("no example of `{}`", heading.text))
}

#[test]
fn each_rule_has_its_section_in_order_of_precedence() {
    let page = page("rules.md");
    let sections = sections(&page);
    let rules: Vec<_> = sections.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(rules, Rule::ALL);
    for (rule, heading) in sections {
        let mut before = page.headings.iter().rev();
        let set = before.find(|set| set.level == 2 && set.start < heading.start);
        let set = set.expect("a set").text.as_str();
        assert!(SETS.contains(&(set, rule.set())), "`{rule}` below `{set}`");
        let text = &page.text[page.section(heading)];
        let says = |words: &str| text.replace('\n', " ").contains(words);
        assert!(says(rule.meaning()), "`{rule}`: {}", rule.meaning());
    }
}

#[test]
fn each_example_breaks_its_rule_and_is_shown_with_the_finding() {
    let page = page("rules.md");
    let folder = tempfile::tempdir().unwrap();
    let (mut host, mut guest) = (
        Host::new().unwrap(),
        Guest::start(&find_image(None).unwrap()).unwrap(),
    );
    for (rule, heading) in sections(&page) {
        let block = example(&page, heading);
        let name = block.file.as_deref().expect("a file's name before it");
        if rule == ELSEWHERE {
            continue;
        }
        let mut sessions = page.blocks_of("console");
        let session = sessions.find(|session| page.section(heading).contains(&session.range.start));
        let shown = &session.expect("a session").text;
        assert!(
            shown.contains(name) && shown.contains(rule.name()),
            "{rule}"
        );

        let expected = Regression::parse(name, &block.text).unwrap().expectations;
        assert!(
            expected
                .iter()
                .any(|e| e.rule == Some(rule) && e.op.is_some())
        );
        assert!(expected.iter().any(|e| e.verdict == "agree"), "{rule}");
        let path = folder.path().join(name);
        std::fs::write(&path, &block.text).unwrap();
        let mut sides = Sides {
            host: Some(&mut host),
            guest: Some(&mut guest),
        };
        let mut summary = Summary::default();
        let mut wrong = Vec::new();
        let mut report = |row: &replay::Row| wrong.extend((!row.passes()).then(|| row.clone()));
        let job = Job {
            reading: Reading::Detected,
            subjects: vec![],
            rules: None,
        };
        replay::replay(&path, &job, &mut sides, &mut summary, &mut report).unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(summary.runs as usize, 2 * expected.len());
    }
}
