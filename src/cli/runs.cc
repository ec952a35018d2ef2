#include "cli/runs.h"

#include "base/short_sha.h"
#include "base/text.h"
#include "cli/advice.h"
#include "cli/attempt_notes.h"
#include "cli/configuration.h"
#include "cli/entry_state.h"
#include "cli/json_writer.h"
#include "cli/plain_view.h"
#include "cli/step_tree.h"
#include "cli/summary.h"
#include "cli/terminal_text.h"
#include "cli/tests.h"
#include "cli/trigger_text.h"

namespace slipway::cli {

namespace {

constexpr std::size_t kMostRuns = 10'000;
constexpr std::uint64_t kMostShownNotes = 100;  // of an attempt

std::string shown(std::string_view text) { return printable(text, Colour::strip); }

std::string age_text(Time now, Time then) {
  const auto age = std::max(now - then, Duration(0));
  if (age < std::chrono::seconds(5)) return "just now";
  if (age >= std::chrono::hours(48))
    return fmt::format("{} days ago", std::chrono::duration_cast<std::chrono::hours>(age).count() / 24);
  return to_short_text(std::chrono::duration_cast<std::chrono::seconds>(age)) + " ago";
}

// So far, of one that goes on.
std::string took_text(const RunEntry& run, Time now) {
  if (run.finished > run.started) return to_short_text(run.finished - run.started);
  return !run.outcome && run.is_alive ? to_short_text(std::max(now - run.started, Duration(0))) : std::string();
}

std::int64_t milliseconds(Time from, Time to) {
  return to <= from ? 0 : std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
}

void outcome_field(JsonWriter& json, const std::optional<model::Outcome>& outcome) {
  if (outcome)
    json.field("outcome", model::to_string(*outcome));
  else
    json.raw("outcome", "null");
}

void run_fields(JsonWriter& json, const RunEntry& run) {
  json.field("run", run.id.value)
      .field("project", run.project)
      .field("number", run.number)
      .field("workflow", run.workflow)
      .field("event", run.event);
  json.field("branch", run.branch).field("sha", run.sha);
  outcome_field(json, run.outcome);
  json.field("exit_code", run.exit_code).field("reason", run.reason).field("started_at", run.started);
  json.field("duration_ms", milliseconds(run.started, run.finished));
}

void decision_array(JsonWriter& json, const std::vector<DecisionEntry>& decisions) {
  json.begin_array("decisions");
  for (const DecisionEntry& decision : decisions) {
    json.begin_object().field("what", decision.what).begin_array("because");
    for (const model::TraceEntry& entry : decision.trace) {
      json.begin_object().field("text", entry.text).field("outcome", entry.outcome).end_object();
    }
    json.end_array().end_object();
  }
  json.end_array();
}

void notes_fields(JsonWriter& json, const AttemptNotes& notes) {
  json.begin_array("annotations");
  for (const wire::payload::Annotation& annotation : notes.annotations) {
    json.begin_object().field("level", wire::payload::to_string(annotation.level)).field("title", annotation.title);
    json.field("message", annotation.message).field("file", annotation.file).field("line", annotation.line);
    if (annotation.column > 0) json.field("column", annotation.column);
    if (annotation.end_line > 0) json.field("end_line", annotation.end_line);
    json.end_object();
  }
  json.end_array().begin_array("notices");
  for (const wire::payload::Notice& notice : notes.notices) {
    json.begin_object().field("code", notice.code).field("message", notice.message).end_object();
  }
  json.end_array().begin_array("caches_saved");
  for (const wire::payload::Artifact& cache : notes.caches_saved) {
    json.begin_object().field("name", cache.name).field("files", cache.files).field("bytes", cache.bytes).end_object();
  }
  json.end_array().begin_array("triggers");
  for (const std::string& trigger : notes.triggers) json.item(trigger);
  json.end_array();
  if (notes.left_out > 0) json.field("left_out", notes.left_out);
  if (notes.unread_bytes > 0) json.field("unread_bytes", notes.unread_bytes);
}

void step_object(JsonWriter& json, const ShownStep& step) {
  json.begin_object().field("name", step.name);
  outcome_field(json, step.result == nullptr ? std::nullopt : std::optional(step.result->outcome));
  const bool has_begun = step.result == nullptr || step.result->outcome != model::Outcome::skipped;
  if (has_begun && step.started != Time{}) json.field("started_at", step.started);
  if (step.result != nullptr) {
    const model::StepResult& result = *step.result;
    json.field("exit_code", result.exit_code).field("duration_ms", milliseconds(result.started, result.finished));
    json.field("cpu_ms", result.cpu_micros / 1000).field("memory_peak_bytes", result.memory_peak_bytes);
    json.field("io_read_bytes", result.io_read_bytes).field("io_written_bytes", result.io_written_bytes);
    json.field("tries", result.tries);
  }
  if (!step.reason.empty()) json.field("reason", step.reason);
  if (step.failure_allowed) json.field("failure_allowed", true);
  if (step.parent) json.field("parent", *step.parent);
  json.end_object();
}

void attempt_object(JsonWriter& json, const AttemptEntry& attempt) {
  json.begin_object().field("number", attempt.number);
  outcome_field(json, attempt.outcome);
  json.field("exit_code", attempt.exit_code).field("reason", attempt.reason).field("started_at", attempt.started);
  json.field("duration_ms", milliseconds(attempt.started, attempt.finished))
      .field("image", attempt.image)
      .field("journal", attempt.journal.string())
      .begin_array("steps");
  const AttemptNotes notes = read_notes(attempt.journal);
  for (const ShownStep& step : steps_in_order(attempt, notes)) step_object(json, step);
  json.end_array();
  if (attempt.resources.cpus) json.field("cpu_limit", fmt::format("{:g}", *attempt.resources.cpus));
  if (attempt.resources.memory_bytes) json.field("memory_limit_bytes", *attempt.resources.memory_bytes);
  json.begin_array("advice");
  for (const std::string& advice : advice_of(attempt)) json.item(advice);
  json.end_array();
  notes_fields(json, notes);
  json.end_object();
}

std::string run_json(const RunEntry& run) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  run_fields(json, run);
  json.begin_array("jobs");
  for (const JobEntry& job : run.jobs) {
    json.begin_object().field("name", job.name);
    outcome_field(json, job.outcome);
    json.field("exit_code", job.exit_code).field("reason", job.reason).field("failure_allowed", job.failure_allowed);
    json.field("started_at", job.started)
        .field("duration_ms", milliseconds(job.started, job.finished))
        .begin_array("attempts");
    for (const AttemptEntry& attempt : job.attempts) attempt_object(json, attempt);
    json.end_array();
    decision_array(json, job.decisions);
    json.end_object();
  }
  json.end_array().begin_array("artifacts");
  for (const ArtifactEntry& artifact : run.artifacts) {
    json.begin_object()
        .field("name", artifact.name)
        .field("job", artifact.job)
        .field("files", artifact.files)
        .field("bytes", artifact.bytes)
        .field("untrusted", artifact.untrusted);
    json.end_object();
  }
  json.end_array();
  decision_array(json, run.decisions);
  json.end_object();
  return text + "\n";
}

std::string figures_of(const model::StepResult& step) {
  std::vector<std::string> parts;
  if (step.cpu_micros > 0) parts.push_back(fmt::format("cpu {}", to_short_text(Duration(step.cpu_micros))));
  if (step.memory_peak_bytes > 0) parts.push_back(fmt::format("memory {}", size_text(step.memory_peak_bytes)));
  if (step.io_read_bytes + step.io_written_bytes > 0) {
    parts.push_back(
        fmt::format("read {}, written {}", size_text(step.io_read_bytes), size_text(step.io_written_bytes)));
  }
  if (step.tries > 1) parts.push_back(fmt::format("{} tries", step.tries));
  return join(parts, ", ");
}

void append_decisions(std::string& text, const std::vector<DecisionEntry>& decisions, std::string_view indent) {
  for (const DecisionEntry& decision : decisions) {
    if (decision.trace.empty()) continue;  // nothing stood against it
    text += fmt::format("{}{}\n", indent, shown(decision.what));
    for (const model::TraceEntry& entry : decision.trace) {
      text += fmt::format("{}  {} -> {}\n", indent, shown(entry.text), shown(entry.outcome));
    }
  }
}

// The first of them: a screen is no place for ten thousand.
void append_notes(std::string& text, const AttemptNotes& notes, const RunsStyle& style) {
  std::uint64_t count = 0;
  const auto line = [&](std::string_view mark, std::string_view what) {
    if (++count > kMostShownNotes) return;
    std::string one(what);
    std::ranges::replace(one, '\n', ' ');
    text += fmt::format("    {} {}\n", mark, shown(one));
  };
  for (const wire::payload::Annotation& annotation : notes.annotations) {
    const auto mark = mark_of(annotation.level);
    line(mark ? symbol(*mark, style.colour) : "!", annotation_text(annotation));
  }
  for (const wire::payload::Notice& notice : notes.notices) line("!", notice.message);
  for (const wire::payload::Artifact& cache : notes.caches_saved) {
    line("!", fmt::format("cache {}: saved, {}", cache.name, size_text(cache.bytes)));
  }
  for (const std::string& trigger : notes.triggers) {
    for (const AskedFor& job : read_trigger(trigger)) line("!", "asks for job " + job.name);
  }
  if (count > kMostShownNotes) text += fmt::format("    ... and {} more: --json has them\n", count - kMostShownNotes);
  for (const std::string& missing : missing_texts(notes)) text += "    ... " + missing + "\n";
}

void append_step(std::string& text, const ShownStep& step, const RunsStyle& style) {
  const bool colour = style.colour;
  const std::string indent(2 * step.depth, ' ');
  std::string took;
  if (step.result == nullptr && !step.abandoned) took = to_short_text(std::max(style.now - step.started, Duration(0)));
  if (step.result != nullptr && step.result->outcome != model::Outcome::skipped)
    took = to_short_text(step.result->finished - step.result->started);
  text += fmt::format("    {}{} {:<{}} {:>8}", indent, symbol(mark_of(step), colour), shown(step.name),
                      24 - std::min<std::size_t>(indent.size(), 24), took);
  if (const std::string end = end_text(step); !end.empty()) text += "  " + shown(end);
  const std::string figures = step.result == nullptr ? "" : figures_of(*step.result);
  text += figures.empty() ? "\n" : fmt::format("  {}{}{}\n", dim(colour), figures, reset(colour));
}

void append_attempt(std::string& text, const AttemptEntry& attempt, bool one_of_several, const RunsStyle& style) {
  const bool colour = style.colour;
  if (one_of_several) {
    text += fmt::format("    try {}: {}{}{}\n", attempt.number, state_text(attempt), attempt.reason.empty() ? "" : ": ",
                        shown(attempt.reason));
  }
  if (attempt.image.find(':') != std::string::npos) {  // not `host`, not a directory
    text += fmt::format("    {}image {}{}\n", dim(colour), shown(attempt.image), reset(colour));
  }
  const AttemptNotes notes = read_notes(attempt.journal);
  for (const ShownStep& step : steps_in_order(attempt, notes)) append_step(text, step, style);
  for (const std::string& advice : advice_of(attempt)) {
    text += fmt::format("    {}{}{}\n", dim(colour), advice, reset(colour));
  }
  append_notes(text, notes, style);
}

std::string run_text(const RunEntry& run, const std::vector<TestEntry>& tests, const RunsStyle& style) {
  const bool colour = style.colour;
  std::string text = fmt::format("{} {}{}{} {}", symbol(mark_of(run), colour), bold(colour), shown(run.workflow),
                                 reset(colour), state_text(run));
  if (const std::string took = took_text(run, style.now); !took.empty()) {
    text += fmt::format(" {} {}", run.outcome ? "in" : "for", took);
  }
  if (!run.reason.empty()) text += fmt::format(": {}", shown(run.reason));
  text += fmt::format("\n  run {} (#{}), {}", run.id.value, run.number, shown(run.event));
  if (!run.branch.empty()) text += fmt::format(" on {}", shown(run.branch));
  if (!run.sha.empty()) text += fmt::format(" @ {}", short_sha(shown(run.sha)));
  text += fmt::format(", started {} ({})\n", to_rfc3339(run.started), age_text(style.now, run.started));
  append_decisions(text, run.decisions, "  ");
  for (const JobEntry& job : run.jobs) {
    text += fmt::format("\n  {} {}{}{}  {}", symbol(mark_of(job), colour), bold(colour), shown(job.name), reset(colour),
                        state_text(job));
    if (job.finished > job.started) text += fmt::format(" in {}", to_short_text(job.finished - job.started));
    if (!job.reason.empty()) text += fmt::format(": {}", shown(job.reason));
    text += '\n';
    std::vector<DecisionEntry> decisions = job.decisions;
    std::erase_if(decisions, [](const DecisionEntry& decision) { return decision.what == "run"; });  // it did
    append_decisions(text, decisions, "    ");
    for (const AttemptEntry& attempt : job.attempts) append_attempt(text, attempt, job.attempts.size() > 1, style);
    if (job.attempts.empty()) continue;
    for (const std::string& service : services_of(job.attempts.back().journal)) {
      text += fmt::format("    service {}: slipway logs {} {} --service {}\n", shown(service), run.id.value,
                          shell_quoted(job.name), shell_quoted(service));
    }
  }
  if (!run.artifacts.empty()) text += "\n  artifacts\n";
  for (const ArtifactEntry& artifact : run.artifacts) {
    text += fmt::format("    {:<24} {:>10}  {}, of {}{}\n", shown(artifact.name), size_text(artifact.bytes),
                        counted(artifact.files, "file"), shown(artifact.job), artifact.untrusted ? ", untrusted" : "");
  }
  text += '\n';
  if (!tests.empty()) {
    text += fmt::format("  tests: {}: slipway runs tests {}\n", model::counts_text(counts_of(tests)), run.id.value);
  }
  return text + fmt::format("  slipway logs {}\n", run.id.value);
}

}  // namespace

Result<std::string> list_runs(const RunsListOptions& options, RunHistory& history, const RunsStyle& style) {
  const WantedRuns wanted{options.all_projects ? Projects::all : Projects::this_one, options.workflow, options.outcome};
  SW_TRY(const auto runs, history.list(std::min(options.limit, kMostRuns), wanted));
  std::string text;
  for (const RunEntry& run : runs) {
    if (style.json) {
      JsonWriter json(text);
      json.begin_object();
      run_fields(json, run);
      json.end_object();
      text += '\n';
      continue;
    }
    const std::string jobs = run.jobs_failed > 0
                                 ? fmt::format("{} of {} failed", run.jobs_failed, counted(run.jobs_total, "job"))
                                 : counted(run.jobs_total, "job");
    if (options.all_projects) text += fmt::format("{}\n  ", shown(run.project));
    text +=
        fmt::format("{} {}  #{:<5} {:<16} {:<12} {:<16} {:<12} {:>8}  {:<14} {}\n", symbol(mark_of(run), style.colour),
                    run.id.value, run.number, shown(run.workflow), shown(run.event), shown(run.branch), state_text(run),
                    took_text(run, style.now), age_text(style.now, run.started), jobs);
  }
  if (text.empty() && !style.json)
    text = options.outcome || !options.workflow.empty() ? "No run is like that.\n"
                                                        : "No runs yet. `slipway run` starts one.\n";
  return text;
}

Result<std::string> view_run(const RunsViewOptions& options, RunHistory& history, const RunsStyle& style) {
  SW_TRY(const RunEntry run, history.find(options.run));
  if (style.json) return run_json(run);
  SW_TRY(const std::vector<TestEntry> tests, history.tests(run.id));
  return run_text(run, tests, style);
}

Result<std::string> remove_runs(const RunsRemoveOptions& options, RunHistory& history, Prompt& prompt,
                                const RunsStyle& style) {
  std::vector<RunEntry> runs;
  std::string text;
  const auto take = [&](RunEntry run) {
    if (!run.outcome && run.is_alive)
      text += fmt::format("{} is running: left alone\n", run.id.value);
    else
      runs.push_back(std::move(run));
  };
  for (const std::string& name : options.runs) {
    SW_TRY(RunEntry run, history.find(name));
    take(std::move(run));
  }
  if (options.all || options.older_than) {
    SW_TRY(auto listed, history.list(kMostRuns, {options.all_projects ? Projects::all : Projects::this_one, {}, {}}));
    for (RunEntry& run : listed) {
      if (options.older_than && std::max(run.finished, run.started) > style.now - *options.older_than) continue;
      take(std::move(run));
    }
  }
  if (runs.empty()) return text + "Nothing to remove.\n";
  if (!options.yes) {
    const auto agreed = prompt.confirm(fmt::format("Remove {} with logs and artifacts?", counted(runs.size(), "run")));
    if (!agreed && agreed.error().kind == ErrorKind::invalid)
      return fail(ErrorKind::invalid, "removing runs: nobody can be asked; say --yes");
    if (!agreed) return std::unexpected(agreed.error());
    if (!*agreed) return fail(ErrorKind::cancelled, "nothing was removed");
  }
  std::size_t removed = 0;
  std::uint64_t freed = 0;
  for (const RunEntry& run : runs) {
    const auto done = history.remove(run.id);
    if (!done && done.error().kind != ErrorKind::conflict) return wrap(done.error(), "removing run " + run.id.value);
    if (!done) {
      text += fmt::format("{} is running: left alone\n", run.id.value);
      continue;
    }
    ++removed;
    freed += *done;
  }
  text += fmt::format("Removed {}", counted(removed, "run"));
  const auto swept = history.sweep();
  if (swept) return text + fmt::format(", {} freed.\n", size_text(freed + *swept));
  // The runs are gone all the same; what they left in the store goes with the next sweep.
  return text +
         fmt::format(", {} freed; their artifacts' content stays for now: {}\n", size_text(freed), swept.error().what);
}

Result<std::string> run_artifacts(const RunsArtifactsOptions& options, RunHistory& history,
                                  const std::filesystem::path& working_dir, const RunsStyle& style) {
  SW_TRY(const RunEntry run, history.find(options.run));
  std::string text;
  if (options.name.empty()) {
    for (const ArtifactEntry& artifact : run.artifacts) {
      if (style.json) {
        JsonWriter json(text);
        json.begin_object().field("name", artifact.name).field("job", artifact.job).field("files", artifact.files);
        json.field("bytes", artifact.bytes).field("untrusted", artifact.untrusted).end_object();
        text += '\n';
      } else {
        text +=
            fmt::format("{:<24} {:>10}  {}, of {}{}\n", shown(artifact.name), size_text(artifact.bytes),
                        counted(artifact.files, "file"), shown(artifact.job), artifact.untrusted ? ", untrusted" : "");
      }
    }
    if (text.empty() && !style.json) text = fmt::format("Run {} stored no artifacts.\n", run.id.value);
    return text;
  }
  std::vector<std::string> names;
  for (const ArtifactEntry& artifact : run.artifacts) names.push_back(artifact.name);
  if (std::ranges::find(names, options.name) == names.end()) {
    const auto near = nearest(options.name, names);
    return fail(ErrorKind::not_found, fmt::format("run {} has no artifact `{}`{}", run.id.value, options.name,
                                                  near ? fmt::format(", did you mean `{}`?", *near) : ""));
  }
  // The name came out of a job: as a directory it is one path part or nothing.
  const bool is_plain_name = options.name.find('/') == std::string::npos && options.name != "." && options.name != "..";
  if (options.output.empty() && !is_plain_name) return fail(ErrorKind::invalid, "say where to: -o DIR");
  const std::filesystem::path target =
      working_dir / (options.output.empty() ? std::filesystem::path(options.name) : options.output);
  SW_CHECK(history.get_artifact(run.id, options.name, target));
  return fmt::format("{}\n", target.string());
}

Result<std::string> explain_stored(const ExplainOptions& options, RunHistory& history, const RunsStyle& style) {
  SW_TRY(const RunEntry run, history.find(options.run));
  std::string text;
  std::vector<std::string> names;
  for (const JobEntry& job : run.jobs) {
    names.push_back(job.name);
    if (job.name != options.job && !job.name.starts_with(options.job + " (")) continue;
    if (style.json) {
      JsonWriter json(text);
      json.begin_object().field("job", job.name);
      outcome_field(json, job.outcome);
      json.field("reason", job.reason);
      decision_array(json, job.decisions);
      json.end_object();
      text += '\n';
      continue;
    }
    text += fmt::format("{} {}  {}{}{}\n", symbol(mark_of(job), style.colour), shown(job.name), state_text(job),
                        job.reason.empty() ? "" : ": ", shown(job.reason));
    append_decisions(text, job.decisions, "  ");
  }
  if (!text.empty()) return text;
  const auto near = nearest(options.job, names);
  return fail(ErrorKind::not_found, fmt::format("run {} has no job `{}`{}", run.id.value, options.job,
                                                near ? fmt::format(", did you mean `{}`?", *near) : ""));
}

}  // namespace slipway::cli
