"""Counts words: built, tested twice at the same time, packaged, and the next job asked for."""
from slipway import Job, Step, annotate, env, git, outputs, parallel, run_step, trigger_job

changed = git.changed_files() if env.event == "pull_request" else []
print(f"{env.event} on {env.branch or 'no branch'}, {len(changed)} files to look at")

run_step("build", "mkdir -p out && cp words.py out/", check=True)

unit = Step("unit", "python3 -m unittest -v test_words", timeout=60)
sample = Step("words of a file", ["python3", "words.py", "sample.txt"])
parallel(unit, sample)
if not unit.success:
    annotate(f"unit tests ended with {unit.exit_code}", level="error", file="test_words.py")
    raise SystemExit(1)

package = Step("package", "tar czf words.tgz -C out . && slipway artifact words words.tgz")
package.run(check=True)
outputs["package"] = package.artifact_url or ""

if env.branch == "main":
    trigger_job(Job("announce", command="echo the new package: $PACKAGE", env={"PACKAGE": package.artifact_url}))
