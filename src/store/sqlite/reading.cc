#include "store/sqlite/reading.h"

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "store/row_json.h"

namespace slipway::store {

namespace {

constexpr std::string_view kRunColumns =
    "seq, id, project, number, workflow, file, event, event_json, branch, sha, state, outcome, exit_code, reason, "
    "created, "
    "started, finished, options, secret_names, owner, commit_sha, untrusted";
constexpr std::string_view kJobColumns =
    "j.run, j.idx, j.name, j.definition, j.state, j.outcome, j.exit_code, j.reason, j.failure_allowed, j.attempts, "
    "j.attempt, "
    "j.started, j.finished, j.outputs, j.environment, j.depends_on";
constexpr std::size_t kShortestPrefix = 4;

std::optional<model::Outcome> outcome_at(const Statement& row, int column) {
  return row.is_null(column) ? std::nullopt : model::outcome_of(row.text(column));
}

Result<RunRow> run_at(const Statement& row) {
  RunRow run;
  run.id = RunId(row.text(1));
  run.project = row.text(2);
  run.number = row.number(3);
  run.workflow = row.text(4);
  run.file = row.text(5);
  run.event = row.text(6);
  run.event_json = row.text(7);
  run.branch = row.text(8);
  run.sha = row.text(9);
  run.state = model::run_state_of(row.text(10)).value_or(model::RunState::finished);
  run.outcome = outcome_at(row, 11);
  run.exit_code = static_cast<int>(row.number(12));
  run.reason = row.text(13);
  run.created = row.time(14);
  run.started = row.time(15);
  run.finished = row.time(16);
  run.options_json = row.text(17);
  SW_TRY(run.secret_names, decode_names(row.text(18)));
  run.owner = row.text(19);
  run.commit = row.text(20);
  run.trust = row.number(21) != 0 ? model::Trust::untrusted : model::Trust::trusted;
  return run;
}

Result<JobRow> job_at(const Statement& row) {
  JobRow job;
  job.run = RunId(row.text(0));
  job.index = static_cast<model::JobIndex>(row.number(1));
  job.name = row.text(2);
  job.definition = row.text(3);
  job.state = model::job_state_of(row.text(4)).value_or(model::JobState::finished);
  job.outcome = outcome_at(row, 5);
  job.exit_code = static_cast<int>(row.number(6));
  job.reason = row.text(7);
  job.failure_allowed = row.number(8) != 0;
  job.attempts = static_cast<int>(row.number(9));
  job.attempt = AttemptId(row.text(10));
  job.started = row.time(11);
  job.finished = row.time(12);
  SW_TRY(job.outputs, decode_map(row.text(13)));
  job.environment = row.text(14);
  SW_TRY(job.depends_on, decode_names(row.text(15)));
  return job;
}

/// All rows of a statement that is bound already.
template <class Row, class Read>
Result<std::vector<Row>> all(Statement& statement, const Read& read) {
  std::vector<Row> rows;
  for (;;) {
    SW_TRY(const bool row, statement.step());
    if (!row) return rows;
    SW_TRY(rows.emplace_back(), read(statement));
  }
}

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0 ? std::optional(number) : std::nullopt;
}

Result<std::vector<RunRow>> runs_where(Database& database, const std::string& condition,
                                       const std::vector<std::string>& values) {
  SW_TRY(Statement statement, database.prepare(fmt::format("SELECT {} FROM runs WHERE {}", kRunColumns, condition)));
  statement.start();
  for (const std::string& value : values) statement.add(value);
  return all<RunRow>(statement, run_at);
}

Result<std::vector<JobResult>> jobs_where(Database& database, const std::string& rest, const std::string& project,
                                          const std::string& job) {
  // CROSS JOIN fixes the order of the loops: newest run first, then its jobs by key.
  SW_TRY(Statement statement, database.prepare(fmt::format(
                                  "SELECT {} FROM runs r CROSS JOIN jobs j ON j.run = r.id WHERE r.project = ?1 AND "
                                  "(j.name = ?2 OR j.definition = ?2) AND {}",
                                  kJobColumns, rest)));
  statement.start().add(project).add(job);
  return all<JobResult>(statement, [](const Statement& row) -> Result<JobResult> {
    SW_TRY(JobRow found, job_at(row));
    return JobResult{found.run, std::move(found)};
  });
}

}  // namespace

Result<RunPage> list_runs(Database& database, const RunFilter& filter, std::size_t most, const std::string& cursor) {
  constexpr std::size_t kMost = 1'000;
  std::string condition = "1";
  std::vector<std::string> values;
  const auto equals = [&](std::string_view column, const std::string& value) {
    if (value.empty()) return;
    condition += fmt::format(" AND {} = ?", column);
    values.push_back(value);
  };
  equals("project", filter.project);
  equals("workflow", filter.workflow);
  equals("branch", filter.branch);
  equals("event", filter.event);
  if (filter.outcome) equals("outcome", std::string(model::to_string(*filter.outcome)));
  if (filter.unfinished_only) condition += " AND outcome IS NULL";
  if (!cursor.empty()) {
    const auto before = number_in(cursor);
    if (!before) return fail(ErrorKind::invalid, "no such cursor");
    condition += fmt::format(" AND seq < {}", *before);
  }
  const std::size_t count = std::clamp<std::size_t>(most, 1, kMost);
  condition += fmt::format(" ORDER BY seq DESC LIMIT {}", count + 1);  // one more tells whether there is a next page

  SW_TRY(Statement statement, database.prepare(fmt::format("SELECT {} FROM runs WHERE {}", kRunColumns, condition)));
  statement.start();
  for (const std::string& value : values) statement.add(value);
  RunPage page;
  std::int64_t last = 0;
  for (;;) {
    SW_TRY(const bool row, statement.step());
    if (!row) return page;
    if (page.runs.size() == count) {
      page.next = std::to_string(last);
      return page;
    }
    last = statement.number(0);
    SW_TRY(page.runs.emplace_back(), run_at(statement));
  }
}

Result<RunRow> find_run(Database& database, const std::string& project, const std::string& text) {
  const auto missing = [&] {
    if (text == "latest") return fail(ErrorKind::not_found, "this project has no runs yet");
    return fail(ErrorKind::not_found, fmt::format("there is no run `{}`", printable(text, Colour::strip)));
  };
  std::vector<RunRow> found;
  const std::string_view number = text.starts_with('#') ? std::string_view(text).substr(1) : std::string_view(text);
  if (text == "latest") {
    SW_TRY(found, runs_where(database, "project = ? ORDER BY number DESC LIMIT 1", {project}));
  } else if (const auto wanted = number_in(number); wanted && *wanted < 1'000'000'000) {
    SW_TRY(found, runs_where(database, fmt::format("project = ? AND number = {}", *wanted), {project}));
  }
  // An id may consist of digits alone.
  if (found.empty() && text.size() >= kShortestPrefix) {
    SW_TRY(found, runs_where(database, "id >= ? AND id < ? LIMIT 2", {text, text + "~"}));
  }
  if (found.empty()) return missing();
  if (found.size() > 1) return fail(ErrorKind::conflict, fmt::format("several runs begin with `{}`", text));
  return std::move(found.front());
}

Result<std::vector<RunRow>> unfinished_runs(Database& database) {
  return runs_where(database, "outcome IS NULL ORDER BY seq", {});
}

Result<std::vector<JobRow>> jobs_of(Database& database, const RunId& run) {
  SW_TRY(Statement statement,
         database.prepare(fmt::format("SELECT {} FROM jobs j WHERE run = ? ORDER BY idx", kJobColumns)));
  statement.start().add(run.value);
  return all<JobRow>(statement, job_at);
}

Result<std::vector<AttemptRow>> attempts_of(Database& database, const RunId& run) {
  SW_TRY(Statement statement,
         database.prepare(
             "SELECT id, job, number, journal_path, started, report FROM attempts WHERE run = ? ORDER BY id"));
  statement.start().add(run.value);
  return all<AttemptRow>(statement, [&](const Statement& row) -> Result<AttemptRow> {
    AttemptRow attempt{AttemptId(row.text(0)),
                       run,
                       row.text(1),
                       static_cast<int>(row.number(2)),
                       row.text(3),
                       row.time(4),
                       std::nullopt};
    if (!row.is_null(5)) {
      SW_TRY(attempt.report, decode_report(row.text(5)));
    }
    return attempt;
  });
}

Result<std::vector<DecisionRow>> decisions_of(Database& database, const RunId& run) {
  SW_TRY(Statement statement,
         database.prepare("SELECT job, what, trace, at FROM decisions WHERE run = ? ORDER BY seq"));
  statement.start().add(run.value);
  return all<DecisionRow>(statement, [&](const Statement& row) -> Result<DecisionRow> {
    SW_TRY(model::Trace because, decode_trace(row.text(2)));
    return DecisionRow{run, {row.text(0), row.text(1), std::move(because)}, row.time(3)};
  });
}

Result<std::vector<TriggerRow>> triggers_of(Database& database, const RunId& run) {
  SW_TRY(Statement statement,
         database.prepare("SELECT by_job, job, json, accepted, reason, at FROM triggers WHERE run = ? ORDER BY seq"));
  statement.start().add(run.value);
  return all<TriggerRow>(statement, [&](const Statement& row) -> Result<TriggerRow> {
    return TriggerRow{run, row.text(0), row.text(1), row.text(2), row.number(3) != 0, row.text(4), row.time(5)};
  });
}

namespace {

Result<std::vector<model::TestOccurrence>> history_of(Statement& statement, std::int64_t test, std::int64_t run) {
  statement.start().add(test).add(run);
  return all<model::TestOccurrence>(statement, [](const Statement& row) -> Result<model::TestOccurrence> {
    return model::TestOccurrence{row.number(0), static_cast<int>(row.number(1)),
                                 static_cast<model::TestOutcome>(row.number(2)), row.text(3), row.text(4)};
  });
}

}  // namespace

Result<std::vector<TestRow>> tests_of(Database& database, const RunId& run, Store::TestDetail detail) {
  SW_TRY(Statement find, database.prepare("SELECT seq FROM runs WHERE id = ?"));
  find.start().add(run.value);
  SW_TRY(const bool is_there, find.step());
  if (!is_there) return std::vector<TestRow>();
  const std::int64_t seq = find.number(0);
  const bool with_texts = detail == Store::TestDetail::with_texts;
  SW_TRY(
      Statement statement,
      database.prepare(fmt::format(
          "SELECT t.id, t.job, t.suite, t.name, r.attempt, r.outcome, r.took, "
          "EXISTS (SELECT 1 FROM test_results f INDEXED BY test_failures WHERE f.test = t.id AND f.outcome = 1 AND "
          "f.run <= ?1){} FROM test_results r INDEXED BY test_results_of_run JOIN tests t ON t.id = r.test{} "
          "WHERE r.run = ?1 ORDER BY t.job, t.suite, t.name, r.attempt",
          with_texts ? ", x.message, x.text" : "",
          with_texts ? " LEFT JOIN test_texts x ON x.run = r.run AND x.test = r.test AND x.attempt = r.attempt" : "")));
  SW_TRY(Statement history,
         database.prepare(fmt::format("SELECT h.run, h.attempt, h.outcome, u.branch, u.commit_sha FROM test_results h "
                                      "JOIN runs u ON u.seq = h.run WHERE h.test = ? AND h.run <= ? "
                                      "ORDER BY h.run DESC, h.attempt DESC LIMIT {}",
                                      model::kTestHistory)));
  statement.start().add(seq);
  std::vector<TestRow> tests;
  std::int64_t last = 0;
  for (;;) {
    SW_TRY(const bool row, statement.step());
    if (!row) return tests;
    const std::int64_t id = statement.number(0);
    if (id != last) tests.emplace_back();
    TestRow& test = tests.back();  // a later attempt takes the place of an earlier
    test.job = statement.text(1);
    test.result = {statement.text(2),
                   statement.text(3),
                   static_cast<model::TestOutcome>(statement.number(5)),
                   Duration(statement.number(6)),
                   {},
                   {}};
    if (with_texts) test.result.message = statement.text(8);
    if (with_texts) test.result.text = statement.text(9);
    if (id != last && statement.number(7) != 0) {
      SW_TRY(test.history, history_of(history, id, seq));
    }
    last = id;
  }
}

Result<std::vector<JobResult>> finished_jobs(Database& database, const std::string& project, const std::string& job,
                                             std::size_t most) {
  return jobs_where(
      database,
      fmt::format("j.outcome IS NOT NULL AND r.untrusted = 0 ORDER BY r.number DESC, j.finished DESC LIMIT {}", most),
      project, job);
}

Result<std::vector<JobResult>> running_jobs(Database& database, const std::string& project, const std::string& job) {
  return jobs_where(database, "r.outcome IS NULL AND j.state IN ('starting', 'running')", project, job);
}

}  // namespace slipway::store
