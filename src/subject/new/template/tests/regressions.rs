//! Each regression on the host and in the guest, against its snapshot.

use my_heap_subject::MyHeap;

#[test]
fn regressions() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions");
    let replayed = kmem_rig::testing::replay(folder, kmem_rig::subjects![MyHeap]);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for run in replayed.unwrap() {
            insta::assert_snapshot!(run.name, run.account);
        }
    });
}
