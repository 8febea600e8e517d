//! `kmem-rig debug`: stops before the right op and shows the right table, on both sides, and leaves
//! nothing running.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use harness::op::Op;
use harness::text::write_op;
use kmem_rig::host::Host;
use kmem_rig::registry;
use kmem_rig::regression::Regression;
use kmem_rig::run::{RunEnd, RunOptions};
use testkit::{children_of, is_running, regressions, root, wait_until};

fn path_of(regression: &str) -> PathBuf {
    root().join(format!("qemu-tests/regressions/{regression}.trace"))
}

fn debug(trace: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kmem-rig"));
    command.arg("debug").arg(trace).args(arguments);
    command.stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Debugs a regression before the op that breaks a rule, else before its last one, and holds what
/// gdb says against that op and the table that `show --tables` prints before it.
fn stops_where_it_should(regression: &Regression, on: &str, host: &mut Host) {
    let expectation = &regression.expectations[0];
    let entry = registry::by_name(&expectation.subject).unwrap();
    // The fresh heap's table is that of a `table` before everything else.
    let mut trace = regression.trace.clone();
    trace.ops.insert(0, Op::Table);
    let options = RunOptions {
        tables: true,
        ..RunOptions::STRICT
    };
    let run = host.run(entry, &trace, options).unwrap();
    // A client's misuse may end a run before its last op: after one, or in one.
    let amid = !matches!(run.end, RunEnd::Completed | RunEnd::Lost);
    let last = run.observations.len() + usize::from(amid) - 2;
    let at = expectation.op.unwrap_or(last);
    let table = &run.tables.iter().find(|(op, _)| *op == at).unwrap().1;
    let (mut line, mut issued) = (String::new(), 0);
    for op in &regression.trace.ops[..=at] {
        line.clear();
        write_op(&mut line, op, &mut issued).unwrap();
    }

    let arguments = ["--at-op", &at.to_string(), "--batch", "--on", on];
    let output = debug(&path_of(&regression.name), &arguments)
        .output()
        .unwrap();
    let (name, said) = (&regression.name, text(&output));
    assert!(output.status.success(), "{name} on {on}:\n{said}");
    for part in [
        format!("\nop {at}: {line} has begun\n"),
        format!("\nthe table before op {at}:\n{table}"),
        // The stack, in source lines, and the registers.
        "\n#0  ".to_owned(),
        "execute.rs:".to_owned(),
        "\nsp  ".to_owned(),
    ] {
        let here = said.contains(&part) || (part == "\nsp  " && said.contains("\nrsp  "));
        assert!(here, "{name} on {on}: no {part:?} in\n{said}");
    }
}

#[test]
fn every_regression_stops_in_the_guest_at_its_op_with_the_table_before_it() {
    let mut host = Host::new().unwrap();
    for regression in regressions(Regression::load) {
        stops_where_it_should(&regression, "qemu", &mut host);
    }
}

#[test]
fn a_find_of_every_rule_stops_on_the_host_at_its_op_with_the_table_before_it() {
    let mut host = Host::new().unwrap();
    let rule = |find: &Regression| find.expectations[0].rule.map(|rule| (rule, find.clone()));
    let finds: BTreeMap<_, _> = regressions(Regression::load)
        .iter()
        .filter_map(rule)
        .collect();
    assert!(finds.len() >= 7, "{}", finds.len());
    for find in finds.values() {
        stops_where_it_should(find, "host", &mut host);
    }
}

/// What keeps a subject within its bounds is on its stack, and is another in each mode.
#[test]
fn the_guest_debugged_is_the_machine_asked_for() {
    let trace = path_of("kmem-2019-unmerged-free");
    for (machine, on_the_stack) in [("m", "user.rs:"), ("s", "reach.rs:")] {
        let arguments = ["--machine", machine, "--batch"];
        let output = debug(&trace, &arguments).output().unwrap();
        let said = text(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("\nop 2: free a0 has begun\n"), "{said}");
        assert!(
            said.contains("\nthe table before op 2:\n0x0: Length"),
            "{said}"
        );
        assert!(said.contains(on_the_stack), "{said}");
    }
}

#[test]
fn a_subject_without_a_table_is_debugged_too() {
    let trace = path_of("kmem-2019-unmerged-free");
    let arguments = ["--subject", "rlsf", "--at-op", "2", "--batch"];
    let output = debug(&trace, &arguments).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("\nop 2: free a0 has begun\n"), "{said}");
}

#[test]
fn what_cannot_be_stopped_at_is_told() {
    for (regression, arguments, expected) in [
        (
            "kmem-2019-unmerged-free",
            &["--at-op", "3"][..],
            "there is no op 3: the trace has 3",
        ),
        (
            "kmem-2019-unmerged-free",
            &["--subject", "kmem"],
            "kmem agrees with this trace: name",
        ),
        (
            "page-2019-fault-alloc",
            &["--at-op", "1"],
            "there is no op 1: the trace has 1, counted from 0",
        ),
    ] {
        let output = debug(&path_of(regression), arguments)
            .args(["--on", "host"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(expected), "{}", text(&output));
    }
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("x.trace");
    let ops = "heap 64 pages\na0 = alloc 262145\ntable\n";
    std::fs::write(&trace, format!("# kmem-rig trace v1\n{ops}")).unwrap();
    let arguments = ["--on", "host", "--subject", "page-2019", "--at-op", "1"];
    let output = debug(&trace, &arguments).output().unwrap();
    assert!(
        text(&output).contains("op 1 is never reached: the run ends after 1 op"),
        "{}",
        text(&output)
    );
    let no_gdb = debug(
        &path_of("kmem-2019-unmerged-free"),
        &["--on", "host", "--batch"],
    )
    .env("PATH", "/nonexistent")
    .output()
    .unwrap();
    assert!(
        text(&no_gdb).contains("apt-get install gdb"),
        "{}",
        text(&no_gdb)
    );
}

/// A gdb that waits for commands, and the processes that belong to it.
fn interactive(on: &str) -> (Child, Vec<u32>, BufReader<std::process::ChildStdout>) {
    let mut rig = debug(&path_of("kmem-2019-unmerged-free"), &["--on", on])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(rig.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("has begun") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "gdb ended");
    }
    let children = children_of(rig.id());
    let below = children.iter().flat_map(|&child| children_of(child));
    let all: Vec<_> = below.chain(children.iter().copied()).collect();
    // gdb, and QEMU or what is debugged on the host.
    assert_eq!(all.len(), 2, "{all:?}");
    (rig, all, said)
}

fn wait_until_gone(processes: &[u32]) {
    wait_until("no process runs on", || {
        !processes.iter().any(|&process| is_running(process))
    });
}

#[test]
fn nothing_is_left_of_a_debugger_whose_rig_is_killed() {
    for on in ["qemu", "host"] {
        let (mut rig, processes, said) = interactive(on);
        rig.kill().unwrap();
        rig.wait().unwrap();
        wait_until_gone(&processes);
        drop(said);
    }
}

#[test]
fn chunks_are_read_from_memory_and_nothing_is_left_of_a_debugger_that_is_quit() {
    for on in ["qemu", "host"] {
        let (mut rig, processes, said) = interactive(on);
        let commands = b"kmem chunks\nkmem table\nquit\n";
        rig.stdin.take().unwrap().write_all(commands).unwrap();
        let lines: Vec<_> = said.lines().map(Result::unwrap).collect();
        let chunk = |line: &&String| line.contains("Length = ");
        let chunks: Vec<_> = lines
            .iter()
            .filter(chunk)
            .map(|line| line.trim_start_matches("(gdb) "))
            .collect();
        let expected = [
            "0x0: Length = 16         Taken = false",
            "0x10: Length = 16         Taken = true",
            "0x20: Length = 262112     Taken = false",
        ];
        // As chunks, and as the table.
        assert_eq!(chunks, [expected, expected].concat(), "{lines:#?}");
        assert!(rig.wait().unwrap().success());
        wait_until_gone(&processes);
    }
}
