//! A thousand artifacts of subjects with one known defect each: one class for each subject and
//! rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kmem_rig::capacity::Measured;
use kmem_rig::confirm::REPLAYS;
use kmem_rig::executor::Executor;
use kmem_rig::finds::Finds;
use kmem_rig::generate::Limits;
use kmem_rig::guest::{Guest, find_image};
use kmem_rig::host::Host;
use kmem_rig::hunt;
use kmem_rig::input::Reading;
use kmem_rig::regression::Regression;
use kmem_rig::rules::Rules;
use kmem_rig::triage::{self, Class, Settings};

/// Artifacts of each mutant, and in all.
const OF_EACH: usize = 25;
const IN_ALL: usize = 1000;
/// Cases that are drawn for a mutant before the next one's turn.
const CASES_MAX: u64 = 400;

/// Draws cases of a mutant, and writes those that break a rule to a folder named after it.
fn write_artifacts(folder: &Path) -> usize {
    let mut host = Host::new().unwrap();
    host.confirm_hangs(false);
    let mut written = 0;
    for entry in &subjects::mutants::HEAP_MUTANTS {
        let limits = Limits::of(&entry.declaration, 32);
        let into = folder.join(entry.name());
        fs::create_dir_all(&into).unwrap();
        let mut found = 0;
        for case in 0..CASES_MAX {
            if found == OF_EACH || written == IN_ALL {
                break;
            }
            let trace = hunt::draw(1, case, &limits);
            let (_, verdict) = host.verdict(entry, &trace, Rules::ALL).unwrap();
            if verdict.finding().is_some() {
                fs::write(
                    into.join(format!("crash-{case}")),
                    harness::bytes::encode(&trace),
                )
                .unwrap();
                found += 1;
                written += 1;
            }
        }
    }
    written
}

#[test]
fn each_defect_and_rule_is_one_class_and_every_regression_repeats_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (artifacts, finds) = (folder.path().join("artifacts"), folder.path().join("finds"));
    assert_eq!(write_artifacts(&artifacts), IN_ALL);

    let settings = Settings {
        subjects: &[],
        rules: Rules::ALL,
        reading: Reading::Bytes,
        finds: Finds::new(&finds, &finds, "a test").unwrap(),
    };
    let (mut host, mut guest) = (
        Host::new().unwrap(),
        Guest::start(&find_image(None).unwrap()).unwrap(),
    );
    let mut classes = Vec::new();
    let mut keep = |class: &Class| classes.push(class.clone());
    triage::triage(
        &[artifacts],
        &settings,
        &mut host,
        &mut guest,
        &mut keep,
        &mut |_| {},
    )
    .unwrap();

    let mut rules = BTreeSet::new();
    for class in &classes {
        assert!(rules.insert((class.subject, class.rule)), "{class:?}");
        assert_eq!(class.host_replays, REPLAYS, "{class:?}");
        // One mutant's wrapped size faults on one side, and is an impossible success on the other.
        let in_guest = class.guest_replays == REPLAYS && class.label == "reproduces in guest";
        assert!(
            in_guest || class.subject == "overflow-unchecked",
            "{class:?}"
        );
    }
    let keys: BTreeSet<_> = classes.iter().map(|class| &class.key).collect();
    assert_eq!(keys.len(), classes.len());
    assert_eq!(
        classes.iter().map(|class| class.artifacts).sum::<usize>(),
        IN_ALL
    );

    for class in &classes {
        let regression = Regression::load(Path::new(&class.written)).unwrap();
        let expected = &regression.expectations[0];
        let entry = subjects::by_name(class.subject).unwrap();
        let repeats = |executor: &mut Measured<dyn Executor>| {
            for _ in 0..100 {
                let run = executor.verdict(entry, &regression.trace, regression.rules);
                let (_, verdict) = run.unwrap();
                assert!(expected.is_met_by(&verdict), "{class:?}: {verdict:?}");
            }
        };
        repeats(&mut host);
        if class.label == "reproduces in guest" {
            repeats(&mut guest);
        }
    }
}
