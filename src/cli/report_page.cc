#include <algorithm>

#include <sodium.h>

#include "base/short_sha.h"
#include "base/text.h"
#include "cli/advice.h"
#include "cli/configuration.h"
#include "cli/plain_view.h"
#include "cli/report_parts.h"
#include "cli/summary.h"
#include "cli/tests.h"

namespace slipway::cli::report {

namespace {

#include <report_parts.inc>  // made by CMake of web/report/

constexpr std::size_t kMostTests = 2'000;  // in the table; failures and flaky ones always come first
constexpr std::size_t kMostAnnotations = 1'000;
constexpr std::size_t kDeepest = 4;     // that child steps are set in
constexpr std::size_t kTailLines = 30;  // of a failed step, for who has no script

// Of an element's whole text, as a content security policy names it.
std::string policy_hash(std::string_view text) {
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  return fmt::format("'sha256-{}'", base64({reinterpret_cast<const char*>(hash), sizeof hash}));
}

// The page's colour is told by its icon too, in a row of tabs: a picture of one point.
std::string icon_of(std::string_view state) {
  const std::string_view colour = state == "succeeded" ? "\x1a\x7f\x43"
                                  : state == "failed"  ? "\xc5\x22\x1f"
                                  : state == "warned"  ? "\xa8\x5b\x07"
                                  : state == "busy"    ? "\x1f\x5f\xbf"
                                                       : "\x6b\x74\x80";
  std::string gif("GIF89a\x01\x00\x01\x00\x80\x00\x00", 13);
  gif.append(colour);
  gif.append("\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b", 19);
  return "data:image/gif;base64," + base64(gif);
}

std::string took(Time from, Time to) { return to > from ? to_short_text(to - from) : std::string(); }

void append_fact(std::string& out, std::string_view name, const std::string& value) {
  if (!value.empty()) out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, html(value));
}

std::string header(const RunEntry& run, Time now) {
  const Mark mark = mark_of(run);
  std::string out = fmt::format("<header class=\"run {}\"><div class=\"wide\">\n<h1>{}<span>{}</span>", class_of(mark),
                                mark_html(mark), html(run.workflow));
  out += fmt::format("<span class=\"number\">#{}</span><span>{}</span></h1>\n", run.number, html(state_text(run)));
  if (!run.reason.empty()) out += fmt::format("<p class=\"reason\">{}</p>\n", html(run.reason));
  out += "<dl class=\"facts\">\n";
  // Of the project its name: where it lies is nobody's business whom the page is sent to.
  append_fact(out, "project", std::filesystem::path(run.project).filename().string());
  append_fact(out, "branch", run.branch);
  append_fact(out, "commit", run.sha.empty() ? "" : std::string(short_sha(run.sha)));
  append_fact(out, "event", run.event);
  append_fact(out, "started", to_rfc3339(run.started));
  append_fact(out, "took", took(run.started, run.finished));
  append_fact(out, "run", run.id.value);
  if (!run.outcome) append_fact(out, "as of", to_rfc3339(now));
  return out + "</dl>\n</div></header>\n";
}

std::string navigation(const RunEntry& run, const std::vector<TestEntry>& tests, std::size_t annotations) {
  const auto link = [](std::string_view place, std::string_view text, std::size_t count, std::size_t failed) {
    if (failed == 0) return fmt::format("<a href=\"#{}\">{} <b>{}</b></a>\n", place, text, count);
    return fmt::format("<a href=\"#{}\">{} <b class=\"failed\">{} of {} failed</b></a>\n", place, text, failed, count);
  };
  const model::TestCounts counts = counts_of(tests);
  std::string out = "<nav class=\"parts\" aria-label=\"parts of this page\"><div class=\"wide\">\n";
  out += link("jobs", "Jobs", run.jobs.size(), run.jobs_failed);
  out += "<a href=\"#timeline\">Timeline</a>\n";
  if (!tests.empty()) out += link("tests", "Tests", tests.size(), counts.failed);
  if (annotations > 0) out += link("annotations", "Annotations", annotations, 0);
  if (!run.artifacts.empty()) out += link("artifacts", "Artifacts", run.artifacts.size(), 0);
  return out + "<a href=\"#logs\">Logs</a>\n</div></nav>\n";
}

// A bar within `whole`, in thousandths: svg attributes are no styles, so the policy lets them be.
std::string bar(Time from, Time to, Time begin, Time end, std::string_view state, std::string_view size) {
  const double whole = static_cast<double>(std::max<std::int64_t>((end - begin).count(), 1));
  const double x = std::clamp(static_cast<double>((from - begin).count()) / whole * 1000, 0.0, 1000.0);
  const double width = std::clamp(static_cast<double>((to - from).count()) / whole * 1000, 2.0, 1000.0);
  return fmt::format(
      "<svg class=\"bar {}\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
      "<rect class=\"ground\" width=\"1000\" height=\"10\"/><rect class=\"{}\" x=\"{:.1f}\" "
      "width=\"{:.1f}\" height=\"10\" rx=\"1.5\"/></svg>",
      size, state, std::min(x, 1000 - width), width);
}

// Where the timeline ends: of a run that goes on it is now, of one that did not end the last that was heard of it.
Time end_of(const RunEntry& run, const Logs& logs, Time now) {
  if (run.finished > run.started) return run.finished;
  if (run.is_alive) return std::max(now, run.started);
  Time last = run.started;
  for (const Log& log : logs.shown) {
    for (const ShownStep& step : log.steps) {
      last = std::max(last, step.result != nullptr ? step.result->finished : step.started);
    }
  }
  return last;
}

std::string timeline(const RunEntry& run, const Logs& logs, Time now) {
  const Time begin = run.started, end = end_of(run, logs, now);
  std::string out = "<section id=\"timeline\"><h2>Timeline</h2>\n<div class=\"card\"><div class=\"time\">\n";
  const auto row = [&](std::string_view name, std::string_view kind, Time from, Time to, Mark mark) {
    out += fmt::format(
        "<div class=\"what {}\" title=\"{}\">{}</div><div class=\"track\">{}</div>"
        "<div class=\"took\">{}</div>\n",
        kind, html(name), html(name), bar(from, to, begin, end, class_of(mark), kind.empty() ? "" : "thin"),
        took(from, to));
  };
  for (const Log& log : logs.shown) {
    const bool is_over = log.attempt->outcome.has_value();
    if (log.service.empty())
      row(log.name, "", log.attempt->started, is_over ? log.attempt->finished : end, mark_of_log(log));
    for (const ShownStep& step : log.steps) {
      const Time last = step.result != nullptr ? step.result->finished : is_over ? log.attempt->finished : end;
      const std::string name = log.service.empty() ? std::string(step.name) : "service " + log.service;
      if (last > step.started) row(name, step.depth == 0 ? "step" : "step below", step.started, last, mark_of(step));
    }
  }
  return out + "</div></div></section>\n";
}

std::string steps_table(const Log& log) {
  if (log.steps.empty()) return {};
  std::string out =
      "<div class=\"scroll\"><table><thead><tr><th>step</th><th class=\"num\">took</th><th class=\"num\">cpu</th>"
      "<th class=\"num\">memory</th><th class=\"num\">read</th><th class=\"num\">written</th></tr></thead><tbody>\n";
  const auto bytes = [](std::uint64_t count) { return count == 0 ? std::string() : size_text(count); };
  for (std::size_t i = 0; i < log.steps.size(); ++i) {
    const ShownStep& step = log.steps[i];
    const Mark mark = mark_of(step);
    const model::StepResult result = step.result != nullptr ? *step.result : model::StepResult{};
    const std::string exit = end_text(step);
    out += fmt::format("<tr class=\"{}\"><td class=\"name below{}\">{} <a data-log href=\"#j{}s{}L1\">{}</a>{}</td>",
                       class_of(mark), std::min<std::size_t>(step.depth, kDeepest), mark_html(mark), log.index, i,
                       html(step.name), exit.empty() ? "" : fmt::format(" <span class=\"soft\">{}</span>", html(exit)));
    for (const std::string& figure :
         {took(result.started, result.finished),
          result.cpu_micros == 0 ? "" : to_short_text(Duration(result.cpu_micros)), bytes(result.memory_peak_bytes),
          bytes(result.io_read_bytes), bytes(result.io_written_bytes)}) {
      out += fmt::format("<td class=\"num\">{}</td>", figure);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

// Its last words stand here too: a log needs a script, this does not.
std::string failure_of(const Log& log) {
  std::string out;
  for (const ShownStep& step : log.steps) {
    if (step.result == nullptr || model::ending_of(step.result->outcome) != model::Ending::failed) continue;
    const auto lines = error_lines(log.journal.string(), step.number, kTailLines);
    if (lines.empty()) continue;
    out += fmt::format("<p class=\"soft said\">{} said</p>\n<pre class=\"tail\" tabindex=\"0\">", html(step.name));
    for (const std::string& line : lines) out += html(line) + "\n";
    out += "</pre>\n";
  }
  return out;
}

std::string attempt_details(const Log& log) {
  std::string out;
  if (log.job->attempts.size() > 1) out += fmt::format("<p class=\"soft\">try {}</p>\n", log.attempt->number);
  out += steps_table(log) + failure_of(log);
  const auto note = [&out](std::string_view kind, std::string_view text) {
    out += fmt::format("<p class=\"{}\">{}</p>\n", kind, html(text));
  };
  for (const std::string& advice : advice_of(*log.attempt)) note("advice", advice);
  for (const wire::payload::Notice& notice : log.notes.notices) note("note", notice.message);
  for (const std::string& missing : missing_texts(log.notes)) note("note", missing);
  return out;
}

std::string service_details(const Log& log) {
  return fmt::format("<p class=\"soft\">{} <a data-log href=\"#j{}\">log of service {}</a></p>\n",
                     mark_html(mark_of_log(log)), log.index, html(log.service));
}

// A limit cut: what it took away has to be said.
std::string left_out_text(const Logs& logs) {
  if (logs.left_out == 0) return {};
  return fmt::format(
      "<p class=\"note\">This page holds the first {} attempts and services; {} more are left out. "
      "<code>slipway logs</code> has them.</p>\n",
      logs.shown.size(), logs.left_out);
}

std::string job_details(const RunEntry& run, std::size_t index, const Logs& logs) {
  const JobEntry& job = run.jobs[index];
  const Mark mark = mark_of(job);
  const bool failed = class_of(mark) == "failed";
  std::string out =
      fmt::format("<details class=\"job {}\" id=\"job-{}\"{}><summary>{}<span class=\"name\">{}</span>", class_of(mark),
                  index, failed || run.jobs.size() == 1 ? " open" : "", mark_html(mark), html(job.name));
  const std::string time = took(job.started, job.finished);
  out += fmt::format("<span class=\"end\">{}{}{}</span></summary><div class=\"inside\">\n", html(state_text(job)),
                     time.empty() ? "" : " in ", time);
  if (!job.reason.empty()) out += fmt::format("<p class=\"note {}\">{}</p>\n", class_of(mark), html(job.reason));
  for (const Log& log : logs.shown) {
    if (log.job == &job) out += log.service.empty() ? attempt_details(log) : service_details(log);
  }
  return out + "</div></details>\n";
}

std::string test_html(const TestEntry& test) {
  const bool failed = test.result.outcome == model::TestOutcome::failed;
  const Mark mark = failed ? Mark::failed : Mark::allowed_failure;
  std::string out = fmt::format(
      "<div class=\"test {}\"><div class=\"head\">{}<b>{}</b><span class=\"soft\">{}, {}</span>", class_of(mark),
      mark_html(mark), html(test_name(test.result)), html(test.job), to_short_text(test.result.took));
  if (test.verdict.is_new_failure) out += "<span class=\"tag failed\">new</span>";
  if (!test.verdict.flaky.empty()) {
    out += fmt::format("<span class=\"tag warned\">flaky: {}</span>", html(test.verdict.flaky));
  }
  out += "</div>";
  if (failed && !test.result.message.empty()) out += fmt::format("<div>{}</div>", html(test.result.message));
  if (failed && !test.result.text.empty()) out += fmt::format("<pre tabindex=\"0\">{}</pre>", html(test.result.text));
  return out + "</div>\n";
}

std::string tests_section(const std::vector<TestEntry>& tests) {
  if (tests.empty()) return {};
  std::string out =
      fmt::format("<section id=\"tests\"><h2>Tests <span class=\"soft\">{}</span></h2>\n<div class=\"card\">\n",
                  html(model::counts_text(counts_of(tests))));
  std::size_t news = 0;
  for (const TestEntry& test : tests) {
    const bool is_news = test.result.outcome == model::TestOutcome::failed || !test.verdict.flaky.empty();
    if (is_news && news++ < kMostTests) out += test_html(test);
  }
  if (news > kMostTests) {
    out +=
        fmt::format("<p class=\"note\">... and {} more that failed or are flaky: <code>slipway runs tests</code></p>\n",
                    news - kMostTests);
  }
  out += fmt::format(
      "<details class=\"job\"><summary><span class=\"name\">All tests</span></summary><div class=\"inside scroll\">"
      "<table><thead><tr><th>test</th><th>job</th><th class=\"num\">took</th></tr></thead><tbody>\n");
  for (std::size_t i = 0; i < std::min(tests.size(), kMostTests); ++i) {
    const TestEntry& test = tests[i];
    const Mark mark = test.result.outcome == model::TestOutcome::failed    ? Mark::failed
                      : test.result.outcome == model::TestOutcome::skipped ? Mark::skipped
                                                                           : Mark::succeeded;
    out += fmt::format("<tr><td class=\"name\">{} {}</td><td>{}</td><td class=\"num\">{}</td></tr>\n", mark_html(mark),
                       html(test_name(test.result)), html(test.job), to_short_text(test.result.took));
  }
  out += "</tbody></table>";
  if (tests.size() > kMostTests) {
    out += fmt::format("<p class=\"soft\">... and {} more: slipway runs tests --all</p>", tests.size() - kMostTests);
  }
  return out + "</div></details>\n</div></section>\n";
}

std::string annotations_section(const Logs& logs) {
  std::string items;
  std::size_t count = 0;
  std::uint64_t left_out = 0;
  for (const Log& log : logs.shown) {
    for (const wire::payload::Annotation& annotation : log.notes.annotations) {
      if (count++ >= kMostAnnotations) continue;
      const auto level = mark_of(annotation.level);
      items += fmt::format("<li>{} {} <span class=\"soft\">{}</span></li>\n", level ? mark_html(*level) : "",
                           html(annotation_text(annotation)), html(log.name));
    }
    left_out += log.notes.left_out;
  }
  if (count == 0) return {};
  left_out += count - std::min(count, kMostAnnotations);
  if (left_out > 0) items += fmt::format("<li class=\"soft\">... and {} more</li>", left_out);
  return "<section id=\"annotations\"><h2>Annotations</h2>\n<div class=\"card\"><ul class=\"plain\">\n" + items +
         "</ul></div></section>\n";
}

std::string artifacts_section(const RunEntry& run) {
  if (run.artifacts.empty()) return {};
  std::string out = "<section id=\"artifacts\"><h2>Artifacts</h2>\n<div class=\"card\"><ul class=\"plain\">\n";
  for (const ArtifactEntry& artifact : run.artifacts) {
    out += fmt::format(
        "<li><b>{}</b> <span class=\"soft\">{}, {}, of {}</span> {}<div><code>slipway runs artifacts {} "
        "{}</code></div></li>\n",
        html(artifact.name), size_text(artifact.bytes), counted(artifact.files, "file"), html(artifact.job),
        artifact.untrusted ? "<span class=\"tag warned\">untrusted</span>" : "", html(run.id.value),
        html(shell_quoted(artifact.name)));
  }
  return out + "</ul></div></section>\n";
}

constexpr std::string_view kViewer = R"html(<section id="logs"><h2>Logs</h2>
<noscript><p class="note">A log is shown by a script of this page. Without it: <code>slipway logs</code>.</p></noscript>
<div id="viewer" class="card" hidden>
<div class="logbar" id="bar"><select id="job" aria-label="job"></select>
<input id="find" type="search" placeholder="Search this log" aria-label="search this log" spellcheck="false">
<span id="found" class="found" role="status"></span>
<button id="error" type="button">First error</button>
<button id="fold" type="button">Fold</button>
<button id="unfold" type="button">Unfold</button>
<button id="times" type="button" aria-pressed="false">Times</button></div>
<div id="rows" tabindex="0" role="region" aria-label="log"></div>
</div>
<p class="help"><kbd>/</kbd> search, <kbd>n</kbd> <kbd>N</kbd> next and previous, <kbd>e</kbd> first error, <kbd>[</kbd> <kbd>]</kbd> fold and unfold,
<kbd>t</kbd> times, <kbd>y</kbd> copy the link. A click on a line's number makes a link to it, with Shift to a range.</p></section>
)html";

}  // namespace

std::string html(std::string_view text) {
  std::string out;
  // Newlines stay: they are white space, and lines within <pre>.
  for (const std::string_view line : split(text, '\n')) {
    if (line.data() != text.data()) out += '\n';
    for (const char c : printable(line, Colour::strip)) {
      switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&#39;"; break;
        default: out += c;
      }
    }
  }
  return out;
}

Mark mark_of_log(const Log& log) {
  if (log.service.empty()) return mark_of(*log.attempt);
  return log.steps.empty() ? Mark::pending : mark_of(log.steps.back());
}

std::string_view class_of(Mark mark) {
  switch (mark) {
    case Mark::succeeded: return "succeeded";
    case Mark::failed:
    case Mark::timed_out: return "failed";
    case Mark::infra_failed:
    case Mark::allowed_failure: return "warned";
    case Mark::running: return "busy";
    case Mark::pending:
    case Mark::blocked:
    case Mark::cancelled:
    case Mark::skipped: return "idle";
  }
  return "idle";
}

std::string base64(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // the zero at its end
  return text;
}

std::string mark_html(Mark mark) {
  return fmt::format("<i class=\"mark {}\">{}</i>", class_of(mark), symbol(mark, false));
}

std::string page_head(const RunEntry& run, const std::vector<TestEntry>& tests, const Logs& logs, Time now) {
  const Mark mark = mark_of(run);
  const std::string title = fmt::format("{} {} #{} {}", symbol(mark, false), run.workflow, run.number, state_text(run));
  std::size_t annotations = 0;
  for (const Log& log : logs.shown) annotations += log.notes.annotations.size() + log.notes.left_out;
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; style-src {}; "
      "img-src data:; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" "
      "content=\"no-referrer\">\n"
      "<title>{}</title>\n<link rel=\"icon\" href=\"{}\">\n<style>{}</style></head>\n<body>\n",
      policy_hash(kScript), policy_hash(kStyle), html(title), icon_of(class_of(mark)), kStyle);
  out += header(run, now) + navigation(run, tests, annotations) + "<main class=\"wide\">\n";
  if (const std::string graph = graph_svg(run); !graph.empty()) {
    out +=
        "<section id=\"graph\"><h2>Graph</h2>\n<div class=\"card scroll\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"graph\">\n" +
        graph + "</div></section>\n";
  }
  out += "<section id=\"jobs\"><h2>Jobs</h2>\n" + left_out_text(logs) + "<div class=\"card\">\n";
  for (std::size_t i = 0; i < run.jobs.size(); ++i) out += job_details(run, i, logs);
  out += "</div></section>\n";
  out += timeline(run, logs, now) + tests_section(tests) + annotations_section(logs) + artifacts_section(run);
  out += kViewer;
  return out + fmt::format("<footer>Made by Slipway on {}.</footer>\n</main>\n", to_rfc3339(now));
}

std::string page_end(const std::string& index) {
  // Within a script element only `<` could end it.
  std::string safe;
  for (const char c : index) {
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  }
  return fmt::format(
      "<script type=\"application/json\" id=\"index\">{}</script>\n<script>{}</script>\n</body></html>\n", safe,
      kScript);
}

}  // namespace slipway::cli::report
