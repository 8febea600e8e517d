//! Artifacts become regressions.

use std::fs;

use testkit::command_line::file;
use testkit::kmem_rig;

#[test]
fn artifacts_become_regressions_and_known_ones_are_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    let artifacts = format!("{at}/kmem_2019");
    fs::create_dir(&artifacts).unwrap();
    let noisy = "# kmem-rig trace v1\nheap 192 bytes\na0 = alloc 3\na1 = alloc 7 align 64\n\
                 a2 = alloc 9\nfree a1\nfree a0\n";
    let noisy = file(folder.path(), "noisy.trace", noisy);
    for name in ["crash-1", "crash-2"] {
        assert_eq!(kmem_rig!("encode {noisy} -o {artifacts}/{name}").0, 0);
    }
    let triage = format!("triage {artifacts} --out {at}/out --known {at}/out");
    let (code, table, errors) = kmem_rig!("{triage}");
    assert_eq!(code, 1, "{table}{errors}");
    let cells = table.lines().nth(1).unwrap().split("  ");
    let cells: Vec<_> = cells
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect();
    assert_eq!(
        cells[..8].join(" | "),
        "kmem-2019 | misaligned | op 0 (alloc) | 1 | 2 | \
         diverge | diverge (reproduces in guest) | NEW"
    );
    let written = format!("{at}/out/kmem-2019-misaligned-alloc.trace");
    let text = fs::read_to_string(&written).unwrap();
    let ops = "heap 64 pages\na0 = alloc 8 align 16\n";
    assert!(text.ends_with(ops), "{text}");
    assert!(text.contains("\nexpect kmem agree\n"), "{text}");
    let (code, table, _) = kmem_rig!("{triage}");
    assert_eq!(code, 0, "{table}");
    assert!(table.contains("1 find, a known regression"), "{table}");
    // The JSON has a field for each column and for each part of one.
    let (code, json, _) = kmem_rig!("{triage} --format json");
    let find: serde_json::Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!({
        "subject": "kmem-2019", "rule": "misaligned", "kind": "alloc", "kinds": ["alloc"], "op": 0,
        "evidence": {
            "rule": "misaligned", "block": { "handle": 0, "offset": 8, "size": 8 }, "align": 16,
        },
        "ops": 1, "artifacts": 2, "host": "diverge", "guest": "diverge",
        "label": "reproduces in guest", "host_replays": 10, "guest_replays": 10,
        "key": "FuzzerHash=kmem-2019:misaligned", "known_as": written, "written": written,
    });
    assert_eq!((code, find), (0, expected));
}
