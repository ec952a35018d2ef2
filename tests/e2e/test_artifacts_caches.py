"""What passes between jobs and from run to run."""
import json
import uuid


def two_jobs(project, make, paths, use, **more):
    return project.workflow(json.dumps({"workflow": {"name": "ci", "defaults": {"image": "host", "network": "none"}, "jobs": [
        {"name": "make", "run": make, "artifacts": [{"name": "out", "paths": paths, **more}]},
        {"name": "use", "depends_on": ["make"], "condition": "always", "uses_artifacts": ["out"], "run": use}]}}))


def test_an_artifact_is_passed_to_a_dependant(slipway):
    file = two_jobs(slipway.project, "mkdir -p dist/deep; echo one >dist/a.txt; echo two >dist/deep/b.txt; chmod +x dist/a.txt; touch no.txt", ["dist/**"],
                    "cd /job/inputs/out; find . -type f | sort; cat dist/deep/b.txt; test -x dist/a.txt")
    assert slipway.run(file).expect(0).output("use") == "./dist/a.txt\n./dist/deep/b.txt\ntwo\n"


def test_what_lies_in_job_artifacts_becomes_the_artifact_artifacts(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: make, run: echo x >/job/artifacts/found}
            - {name: use, depends_on: [make], uses_artifacts: [artifacts], run: find /job/inputs/artifacts -type f}
        """)
    assert "found" in slipway.run(file).expect(0).output("use")


def test_an_artifact_of_a_matrix_job_is_named_by_the_instance(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - name: make
              matrix: {axes: {n: [1, 2]}}
              env: {N: "{{ matrix.n }}"}
              run: echo "$N" >out
              artifacts: [{name: "out-{{ matrix.n }}", paths: [out]}]
            - {name: use, depends_on: [make], uses_artifacts: [out-1, out-2], run: cat /job/inputs/out-1/out /job/inputs/out-2/out}
        """)
    assert slipway.run(file).expect(0).output("use") == "1\n2\n"


def test_a_link_out_of_the_artifact_is_refused(slipway):
    file = two_jobs(slipway.project, "mkdir d; echo fine >d/fine; ln -s /etc/passwd d/link; mkfifo d/fifo", ["d/**"], "find /job/inputs/out -mindepth 1 | sort")
    ran = slipway.run(file)
    assert "fine" in ran.output("use") and "link" not in ran.output("use") and "fifo" not in ran.output("use")


def test_an_artifact_can_be_taken_out_of_the_history(slipway, tmp_path):
    ran = slipway.run(two_jobs(slipway.project, "echo content >file", ["file"], "true")).expect(0)
    slipway("runs", "artifacts", ran.finished["run"], "out", "-o", tmp_path / "got").expect(0)
    assert (tmp_path / "got" / "file").read_text() == "content\n"


def test_when_failure_keeps_an_artifact_of_a_failed_job_only(slipway):
    file = two_jobs(slipway.project, "echo x >log; exit 1", ["log"], "cat /job/inputs/out/log", when="failure")
    ran = slipway.run(file).expect(1)
    assert ran.output("use") == "x\n"


def cache_job(project, key, run, restore=()):
    return project.job(run=run, keys={"cache": [{"key": key, "restore": list(restore), "paths": [".deps"]}]})


def test_a_cache_is_there_in_the_second_run(slipway):
    key = f"key-{uuid.uuid4()}"
    file = cache_job(slipway.project, key, "if [ -e .deps/it ]; then echo hit; else echo miss; mkdir -p .deps; echo x >.deps/it; fi")
    assert slipway.run(file).expect(0).output() == "miss\n"
    assert slipway.run(file).expect(0).output() == "hit\n"


def test_a_fallback_key_restores_the_newest_that_begins_so(slipway):
    mark = uuid.uuid4().hex
    slipway.run(cache_job(slipway.project, f"{mark}-one", "mkdir .deps; echo one >.deps/it")).expect(0)
    ran = slipway.run(cache_job(slipway.project, f"{mark}-two", "cat .deps/it", [f"{mark}-"])).expect(0)
    assert ran.output() == "one\n"


def test_a_pull_request_run_reads_the_branchs_cache_and_writes_only_its_own(slipway):
    slipway.project.commit()
    key = f"key-{uuid.uuid4()}"
    text = "cat .deps/it 2>/dev/null || echo none; mkdir -p .deps; echo \"$SLIPWAY_EVENT_KIND\" >.deps/it"
    file = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "on": {"push": {}, "pull_request": {}}, "jobs": [
        {"name": "job", "image": "host", "network": "none", "cache": [{"key": key, "paths": [".deps"]}],
         "env": {"SLIPWAY_EVENT_KIND": "{{ event }}"}, "run": text}]}}))
    fresh = f"key-{uuid.uuid4()}"
    assert slipway.run(file).expect(0).output() == "none\n"
    assert slipway.run(file, "--event", "pull_request").expect(0).output() == "push\n"
    # A key that only a pull request saved is not there for a push.
    text = (slipway.project.path / file).read_text().replace(key, fresh)
    (slipway.project.path / file).write_text(text)
    slipway.run(file, "--event", "pull_request").expect(0)
    assert slipway.run(file).expect(0).output() == "none\n"


def test_a_failed_job_saves_no_cache(slipway):
    key = f"key-{uuid.uuid4()}"
    slipway.run(cache_job(slipway.project, key, "mkdir .deps; exit 1")).expect(1)
    assert slipway.run(cache_job(slipway.project, key, "ls -d .deps 2>/dev/null || echo none")).expect(0).output() == "none\n"


def test_over_the_size_limit_the_least_recently_used_goes_and_is_named(alone):
    alone.config("cache_limit: 3MiB\n")
    fill = "mkdir -p .deps; head -c 2000000 /dev/urandom >.deps/data"
    alone.run(cache_job(alone.project, "first", fill)).expect(0)
    ran = alone("run", cache_job(alone.project, "second", fill)).expect(0)
    assert "first" in ran.out + ran.err, ran
    assert alone.run(cache_job(alone.project, "first", "ls -d .deps 2>/dev/null || echo none")).expect(0).output() == "none\n"


def test_what_was_done_with_a_cache_is_an_event_of_its_job(slipway):
    file = cache_job(slipway.project, f"key-{uuid.uuid4()}", "mkdir -p .deps; echo x >.deps/it")
    assert [(n["job"], n["message"].rsplit(": ")[-1]) for n in slipway.run(file).expect(0).of("notice") if n["code"] == "cache"] == [
        ("job", "nothing stored yet"), ("job", "saved")]
    restored = slipway.run(file).expect(0)
    assert [n["message"].rsplit(": ")[-1] for n in restored.of("notice")] == ["restored"]
    assert {n["run"] for n in restored.of("notice")} == {restored.finished["run"]}


def test_keep_stores_the_workspace_of_a_failed_job_without_its_secrets(slipway, tmp_path):
    slipway.project.write("there.txt", "before")
    file = slipway.project.job(run="echo after >there.txt; mkdir d; echo new >d/new; exit 1",
                               keys={"secrets": [{"name": "TOKEN", "file": "/job/secrets/TOKEN"}]})
    ran = slipway("run", "--keep", file, "--secret", "TOKEN", env={"TOKEN": "a-long-secret-value"}).expect(1)
    assert "workspace-job" in ran.out  # the summary has the command for it
    run = json.loads(slipway("runs", "ls", "-n", "1", "--json").out)["run"]
    slipway("runs", "artifacts", run, "workspace-job", "-o", tmp_path / "kept").expect(0)
    assert (tmp_path / "kept" / "there.txt").read_text() == "after\n" and (tmp_path / "kept" / "d" / "new").exists()
    assert not any(b"a-long-secret-value" in p.read_bytes() for p in (tmp_path / "kept").rglob("*") if p.is_file())


def test_what_a_job_passes_on_is_bounded_by_its_disk_however_sparse_it_is(slipway):
    keys = {"resources": {"disk": "64MiB"}, "artifacts": [{"name": "sparse", "paths": ["sparse"]}, {"name": "small", "paths": ["small"]}],
            "cache": [{"key": "sparse", "paths": ["sparse"]}]}
    ran = slipway.run(slipway.project.job(run="truncate -s 2G sparse; echo x >small", keys=keys)).expect(0)
    assert [artifact["name"] for artifact in ran.of("artifact")] == ["small"] and not ran.of("cache_saved"), ran
    assert "as much as its disk" in ran.out
    ran = slipway.run(slipway.project.job(run="truncate -s 40M a; cp --sparse=always a b; for n in a b; do slipway artifact $n $n; done", keys={"resources": {"disk": "64MiB"}})).expect(0)
    assert [artifact["name"] for artifact in ran.of("artifact")] == ["a"], ran


def test_inputs_that_do_not_fit_on_its_disk_fail_a_job_and_say_so(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: make, run: head -c 30000000 /dev/urandom >big, artifacts: [{name: big, paths: [big]}]}
            - {name: use, depends_on: [make], uses_artifacts: [big], resources: {disk: 10MiB, memory: 1GiB}, run: echo never}
        """)
    ran = slipway.run(file).expect(1)
    assert ran.outcomes() == {"make": "succeeded", "use": "failed"} and "never" not in ran.output()
    assert "the job's disk is full" in slipway("runs", "view", "latest").out
