"""Drives the built fuzz targets as ClusterFuzz does, and hands what they find to `kmem-rig triage`.

Usage: drive.py OUT SCRATCH RIG

OUT is what `.clusterfuzzlite/build.sh` has made. ClusterFuzz's package is what its bots and
ClusterFuzzLite run: it is told what a bot's job tells it, and nothing of it is replaced.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from clusterfuzz import environment, fuzz, stacktraces
from clusterfuzz._internal.system import environment as bot

TARGETS = ["kmem", "kmem_2019", "kmem_growing", "page", "trace_text"]
# What it tells kmem-2019's finds by, before the rule: it writes NUMBER for one.
KEY = "FuzzerHash=kmem-NUMBER"
# Of kmem-2019: what a fuzzer meets within a second or two, from nothing.
EASY = {"impossible-success", "misaligned", "unmerged"}
SECONDS = 8
# Of a target that is to report nothing: the same inputs each time, since what fuzzing may find must
# not decide whether the engine is found to drive the target. The time is a bound only.
RUNS = 50_000
REPEATABLE = ["-seed=1", f"-runs={RUNS}"]
REPEATABLE_SECONDS = 300
# It goes on until half of its time is over, since a smaller input may always follow.
MINIMIZE_SECONDS = 40
DEADLINE_SECONDS = 120
CRASHED = 77


def check(holds, what, evidence=""):
    """Ends with what is wrong, unless it holds."""
    if not holds:
        if evidence:
            print(evidence, file=sys.stderr)
        sys.exit(f"error: {what}")


def run(command, folder, **variables):
    """Runs a target with nothing in its environment but what is named."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def alone(out, scratch, name):
    """A copy of a target and of what is named after it, in an otherwise empty folder."""
    folder = fresh(scratch / "alone" / name)
    for part in [name, f"{name}.dict", f"{name}.options"]:
        shutil.copy(out / part, folder / part)
    return folder / name


def check_build(out, scratch):
    """What is in OUT is what the contract asks for, and each target runs anywhere."""
    found = sorted(Path(path).name for path in fuzz.get_fuzz_targets(str(out)))
    check(found == TARGETS, f"ClusterFuzz sees the targets {found} instead of {TARGETS}")
    for name in TARGETS:
        target = alone(out, scratch, name)
        # Without what is known, the standing example fails at its first mutated inputs.
        code, log = run([target, "-runs=0"], target.parent)
        check(code == 0, f"{name} does not start in an empty folder", log)
        code, log = run([out / name, "-seed=1337", "-runs=4"], scratch)
        check(code == 0, f"{name} fails as OSS-Fuzz tries it", log)
        seeds = fresh(scratch / "seeds" / name)
        with zipfile.ZipFile(out / f"{name}_seed_corpus.zip") as archive:
            archive.extractall(seeds)
        check(len(files(seeds)) > 1, f"{name} has no seeds")
        # A target that crashes on its own seeds is refused as a bad build.
        code, log = run([out / name, "-runs=0", seeds], scratch)
        check(code == 0, f"{name} crashes on its own seeds", log)


class Engine:
    """ClusterFuzz's libFuzzer engine, told of one target as a bot's job is."""

    def __init__(self, target, scratch):
        self.target = str(target)
        self.scratch = fresh(scratch / "engine" / target.name)
        self.engine = fuzz.get_engine("libFuzzer")
        self.job = environment.Environment("libFuzzer", "address", self.target)

    def __enter__(self):
        self.job.__enter__()
        self.job.set_value("FUZZ_INPUTS_DISK", str(fresh(self.scratch / "temporary")))
        self.job.set_value("ASAN_OPTIONS", "")
        bot.reset_current_memory_tool_options()
        return self

    def __exit__(self, *error):
        return self.job.__exit__(*error)

    def fuzz(self, corpus, arguments, seconds):
        options = self.engine.prepare(str(corpus), self.target, os.path.dirname(self.target))
        for expected in ["-timeout=10", "-reduce_inputs=0", f"-dict={self.target}.dict"]:
            check(expected in options.arguments, f"no {expected} in {options.arguments}")
        options.arguments += arguments
        crashes = str(fresh(self.scratch / "crashes"))
        return self.engine.fuzz(self.target, options, crashes, seconds)

    def reproduce(self, crash):
        return self.engine.reproduce(self.target, crash, [], DEADLINE_SECONDS)


def check_no_crash(out, scratch, name):
    """Fuzzes from the seeds; what is met is known, so nothing is reported and the corpus grows."""
    with Engine(out / name, scratch) as engine:
        corpus = fresh(scratch / "corpus" / name)
        result = engine.fuzz(corpus, REPEATABLE, REPEATABLE_SECONDS)
        check(not result.crashes, f"{name} reports something", result.logs)
        executed = result.stats["number_of_executed_units"]
        check(executed >= RUNS, f"{name} ran {executed} inputs", result.logs)
        options = os.environ["ASAN_OPTIONS"]
        check("allow_user_segv_handler=1" in options, f"{name}'s options are not heeded: {options}")

        smaller = fresh(scratch / "smaller" / name)
        merged = engine.engine.minimize_corpus(
            engine.target, [], [str(corpus)], str(smaller), None, DEADLINE_SECONDS
        )
        before, after = len(files(corpus)), len(files(smaller))
        check(0 < after <= before, f"{before} inputs of {name} became {after}", merged.logs)
        print(f"{name}: {executed} inputs, no crash; a corpus of {before} became one of {after}")


def crash_state(name, log):
    parser = stacktraces.StackParser(fuzz_target=name)
    return parser.parse(log).crash_state.splitlines()[0]


def check_crash(out, scratch, artifacts):
    """What a target that knows nothing meets first: told by name, repeated, made small."""
    with Engine(alone(out, scratch, "kmem_2019"), scratch) as engine:
        result = engine.fuzz(fresh(scratch / "corpus" / "from-nothing"), [], SECONDS)
        check(len(result.crashes) == 1, "no crash of kmem-2019", result.logs)
        crash = result.crashes[0]
        state = crash_state("kmem_2019", crash.stacktrace)
        check(state.startswith(f"{KEY}:"), f"the crash is told by {state}", result.logs)

        again = engine.reproduce(crash.input_path)
        check(again.return_code == CRASHED, "the crash does not reproduce", again.output)
        check(crash_state("kmem_2019", again.output) == state, f"no {state} again", again.output)

        small = artifacts / "crash-minimized"
        made = engine.engine.minimize_testcase(
            engine.target, [], crash.input_path, str(small), MINIMIZE_SECONDS
        )
        before, after = Path(crash.input_path).stat().st_size, small.stat().st_size
        check(after <= before, f"{before} bytes became {after}", made.output)
        again = engine.reproduce(str(small))
        check(again.return_code == CRASHED, "what was made small is no crash", again.output)
        print(f"kmem_2019, knowing nothing: {state}, reproduced; {before} bytes became {after}")


def check_fault(out, scratch):
    """A fault reaches the target, which names the op, under the options that ClusterFuzz sets."""
    with Engine(alone(out, scratch, "kmem_2019"), scratch) as engine:
        seed = scratch / "seeds" / "kmem_2019" / "kmem-2019-fault-alloc-zeroed"
        result = engine.reproduce(str(seed))
        state = crash_state("kmem_2019", result.output)
        check(state == f"{KEY}:fault", f"a fault is told by {state}", result.output)


def check_fork_and_merge(out, scratch, artifacts):
    """libFuzzer's own ways to go on after crashes and to merge corpora."""
    target = alone(out, scratch, "kmem_2019")
    corpus, temporary = fresh(scratch / "corpus" / "fork"), fresh(scratch / "fork")
    flags = ["-fork=2", "-ignore_crashes=1", f"-max_total_time={SECONDS}", "-reduce_inputs=0"]
    command = [target, *flags, f"-artifact_prefix={artifacts}/", corpus]
    code, log = run(command, target.parent, TMPDIR=str(temporary))
    check("INFO: exiting" in log, f"-fork ended with {code}", log)
    met = sum(path.name.startswith("crash-") for path in files(artifacts))
    check(met > 1, "-fork met no crash", log)

    merged = fresh(scratch / "corpus" / "merged")
    sources = [scratch / "corpus" / "kmem", scratch / "seeds" / "kmem", corpus]
    code, log = run([out / "kmem", "-merge=1", merged, *sources], scratch, TMPDIR=str(temporary))
    check(code == 0 and files(merged), f"-merge ended with {code}", log)
    print(f"-fork: {met} artifacts; -merge: {len(files(merged))} inputs of three folders")


def triage(rig, artifacts, finds, known):
    """The finds that triage writes to a folder."""
    command = [rig, "triage", artifacts, "--bytes", "--subject", "kmem-2019", "--format", "json"]
    command += ["--found", "ClusterFuzz", "--out", finds, "--known", known]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=DEADLINE_SECONDS, check=False)
    check(done.returncode in (0, 1), f"triage ended with {done.returncode}")
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def check_triage(rig, scratch, artifacts):
    """What ClusterFuzz and libFuzzer kept becomes regressions, by which it is known from then on."""
    finds = scratch / "finds"
    code, found = triage(rig, artifacts, finds, fresh(scratch / "nothing-known"))
    rules = {find["rule"] for find in found}
    check(code == 1 and rules >= EASY, f"triage found {rules} of {EASY}, and ended with {code}")
    for find in found:
        name = f"{find['rule']}: {find['label']}"
        check(find["key"].startswith(f"FuzzerHash=kmem-2019:{find['rule']}"), f"{name} has another key")
        check(find["guest"] == find["host"], f"{name} is told otherwise in the guest")
    replayed = subprocess.run([rig, "replay", finds], stdout=subprocess.PIPE, check=False)
    check(replayed.returncode == 0, "the finds do not replay", replayed.stdout.decode())
    code, found = triage(rig, artifacts, scratch / "known-finds", finds)
    check(code == 0, f"still new: {[find['rule'] for find in found]}")
    print(f"triage: {len(found)} finds, each reproduced in the guest and replayed as a regression")


def main():
    out, scratch, rig = (Path(path).resolve() for path in sys.argv[1:])
    artifacts = fresh(scratch / "artifacts")
    check_build(out, scratch)
    for name in TARGETS:
        check_no_crash(out, scratch, name)
    check_crash(out, scratch, artifacts)
    check_fault(out, scratch)
    check_fork_and_merge(out, scratch, artifacts)
    check_triage(rig, scratch, artifacts)


main()
