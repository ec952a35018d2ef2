#include "wire/visits.h"

#include <algorithm>
#include <array>
#include <limits>

#include "wire/visits_json.h"

namespace slipway::wire {

namespace {

constexpr std::array<std::pair<std::string_view, Resume>, 3> kResumes = {
    {{"continue", Resume::go_on}, {"retry", Resume::retry}, {"abort", Resume::abort}}};
constexpr std::string_view kOnFailure = "on-failure", kBefore = "before:";

std::uint16_t size_of(const Fields& fields, std::string_view key, std::uint16_t fallback) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint16_t>::max();
  return static_cast<std::uint16_t>(std::min(fields.count(key, fallback), kMost));
}

}  // namespace

Breakpoint parse_breakpoint(const std::string& text) {
  if (text == kOnFailure) return {};
  if (text.starts_with(kBefore)) return {Breakpoint::When::before, text.substr(kBefore.size())};
  return {Breakpoint::When::after, text};
}

std::string to_text(const Breakpoint& breakpoint) {
  switch (breakpoint.when) {
    case Breakpoint::When::on_failure: return std::string(kOnFailure);
    case Breakpoint::When::before: return std::string(kBefore) + breakpoint.step;
    case Breakpoint::When::after: break;
  }
  return breakpoint.step;
}

std::string_view to_string(Resume how) {
  return std::ranges::find(kResumes, how, &std::pair<std::string_view, Resume>::second)->first;
}

std::optional<Resume> resume_of(std::string_view word) {
  for (const auto& [known, how] : kResumes) {
    if (known == word) return how;
  }
  return {};
}

json::object to_json_object(const AttachCommand& command) {
  return {{"argv", to_json_array(command.argv)},
          {"terminal", command.terminal},
          {"rows", command.rows},
          {"columns", command.columns},
          {"term", command.term}};
}

AttachCommand read_attach_command(const Fields& fields) {
  AttachCommand command;
  command.argv = fields.texts("argv");
  command.terminal = fields.flag("terminal");
  command.rows = size_of(fields, "rows", command.rows);
  command.columns = size_of(fields, "columns", command.columns);
  command.term = fields.text("term");
  return command;
}

std::string encode(const VisitRequest& request) {
  switch (request.what) {
    case VisitRequest::What::attach:
      return json::serialize(json::object{
          {"do", "attach"}, {"run", request.run}, {"job", request.job}, {"command", to_json_object(request.command)}});
    case VisitRequest::What::resume:
      return json::serialize(
          json::object{{"do", "resume"}, {"run", request.run}, {"job", request.job}, {"how", to_string(request.how)}});
    case VisitRequest::What::list: break;
  }
  return json::serialize(json::object{{"do", "list"}});
}

Result<VisitRequest> decode_visit_request(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "visit"));
  std::string problem;
  const Fields fields(object, &problem);
  VisitRequest request;
  const std::string what = fields.required_text("do");
  if (what == "list") return checked(std::move(request), problem, "visit");
  request.run = fields.required_text("run");
  request.job = fields.required_text("job");
  if (what == "attach") {
    request.what = VisitRequest::What::attach;
    if (const json::object* command = fields.object("command")) {
      request.command = read_attach_command(Fields(*command, &problem));
    }
  } else if (what == "resume") {
    request.what = VisitRequest::What::resume;
    const auto how = resume_of(fields.text("how"));
    if (how) {
      request.how = *how;
    } else {
      fields.refuse("how", "continue, retry or abort");
    }
  } else {
    fields.refuse("do", "a known word");
  }
  return checked(std::move(request), problem, "visit");
}

std::string encode(const VisitReply& reply) {
  json::array jobs;
  for (const LiveJob& job : reply.jobs) {
    jobs.push_back(json::object{
        {"run", job.run}, {"job", job.job}, {"step", job.step}, {"why", job.why}, {"can_retry", job.can_retry}});
  }
  return json::serialize(json::object{{"error", reply.error}, {"step", reply.step}, {"jobs", std::move(jobs)}});
}

Result<VisitReply> decode_visit_reply(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "visit"));
  std::string problem;
  const Fields fields(object, &problem);
  VisitReply reply;
  reply.error = fields.text("error");
  reply.step = fields.text("step");
  if (const json::array* jobs = fields.array("jobs")) {
    for (const json::value& item : *jobs) {
      const Fields job(fields.as_object(item, "jobs"), &problem);
      reply.jobs.push_back(
          {job.text("run"), job.text("job"), job.text("step"), job.text("why"), job.flag("can_retry")});
    }
  }
  return checked(std::move(reply), problem, "visit");
}

std::string encode(const VisitEnd& end) {
  return json::serialize(json::object{{"exit_code", end.exit_code}, {"reason", end.reason}});
}

Result<VisitEnd> decode_visit_end(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "visit"));
  std::string problem;
  const Fields fields(object, &problem);
  return checked(VisitEnd{static_cast<int>(fields.integer("exit_code")), fields.text("reason")}, problem, "visit");
}

}  // namespace slipway::wire
