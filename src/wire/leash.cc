#include "wire/leash.h"

#include <array>

#include "base/scope_exit.h"
#include "wire/job_spec_value.h"
#include "wire/json_fields.h"
#include "wire/sandbox_json.h"
#include "wire/visits_json.h"

namespace slipway::wire {

namespace {

constexpr std::array<std::pair<std::string_view, Cancel::Why>, 5> kWhys = {{
    {"by_user", Cancel::Why::by_user},
    {"timeout", Cancel::Why::timeout},
    {"fail_fast", Cancel::Why::fail_fast},
    {"superseded", Cancel::Why::superseded},
    {"service_ended", Cancel::Why::service_ended},
}};

json::array inputs_to_json(const std::vector<InputBundle>& inputs) {
  json::array array;
  for (const InputBundle& input : inputs) {
    array.push_back(json::object{{"path", input.path}, {"keep_absolute", input.keep_absolute}});
  }
  return array;
}

std::vector<InputBundle> inputs_of(const Fields& fields) {
  std::vector<InputBundle> inputs;
  if (const json::array* array = fields.array("inputs")) {
    for (const json::value& item : *array) {
      const Fields input(fields.as_object(item, "inputs"), fields.problem());
      inputs.push_back({input.required_text("path"), input.flag("keep_absolute")});
    }
  }
  return inputs;
}

json::object orders_to_json(const Orders& orders) {
  json::array secrets;
  for (const SecretValue& secret : orders.secrets) {
    secrets.push_back(json::object{{"name", secret.name}, {"value", secret.value}});
  }
  json::object object{{"type", "orders"},
                      {"job", to_json_object(orders.job)},
                      {"secrets", std::move(secrets)},
                      {"inputs", inputs_to_json(orders.inputs)},
                      {"cache_news", to_json_array(orders.cache_news)}};
  if (orders.ready) object["ready"] = to_json_object(*orders.ready);
  if (orders.sibling) object["sibling"] = true;
  json::array breaks;
  for (const Breakpoint& one : orders.breaks) breaks.push_back(json::string(to_text(one)));
  if (!breaks.empty()) {
    object["breaks"] = std::move(breaks);
    object["hold_limit"] = orders.hold_limit.count();
  }
  return object;
}

Orders orders_of(const Fields& fields) {
  Orders orders;
  if (const json::object* job = fields.object("job")) {
    orders.job = read_job_spec(Fields(*job, fields.problem()));
  } else {
    fields.refuse("job", "there");
  }
  if (const json::array* secrets = fields.array("secrets")) {
    for (const json::value& item : *secrets) {
      const Fields secret(fields.as_object(item, "secrets"), fields.problem());
      orders.secrets.push_back({secret.required_text("name"), secret.required_text("value")});
    }
  }
  orders.inputs = inputs_of(fields);
  orders.cache_news = fields.texts("cache_news");
  if (const json::object* ready = fields.object("ready")) {
    orders.ready = read_readiness(Fields(*ready, fields.problem()));
  }
  orders.sibling = fields.flag("sibling");
  for (const std::string& text : fields.texts("breaks")) orders.breaks.push_back(parse_breakpoint(text));
  orders.hold_limit = fields.duration("hold_limit");
  return orders;
}

Cancel cancel_of(const Fields& fields) {
  Cancel cancel;
  cancel.at_once = fields.flag("at_once");
  cancel.detail = fields.text("detail");
  const std::string why = fields.text("why", "by_user");
  for (const auto& [word, known] : kWhys) {
    if (word == why) {
      cancel.why = known;
      return cancel;
    }
  }
  fields.refuse("why", "a known word");
  return cancel;
}

std::string word_of(Cancel::Why why) {
  for (const auto& [word, known] : kWhys) {
    if (known == why) return std::string(word);
  }
  return {};
}

}  // namespace

std::string encode(const ToInit& message) {
  return json::serialize(std::visit(
      Overloaded{
          [](const Inputs& more) { return json::object{{"type", "inputs"}, {"inputs", inputs_to_json(more.inputs)}}; },
          [](const Orders& orders) { return orders_to_json(orders); },
          [](const Cancel& cancel) {
            return json::object{{"type", "cancel"},
                                {"why", word_of(cancel.why)},
                                {"at_once", cancel.at_once},
                                {"detail", cancel.detail}};
          },
          [](const Reply& reply) {
            return json::object{{"type", "reply"}, {"id", reply.id}, {"ok", reply.ok}, {"json", reply.json}};
          },
          [](const Keep& keep) {
            return json::object{{"type", "keep"}, {"orphan_grace", keep.orphan_grace.count()}, {"estate", keep.estate}};
          },
          [](const Note& note) { return json::object{{"type", "note"}, {"text", note.text}}; },
          [](const Attach& attach) {
            return json::object{{"type", "attach"}, {"id", attach.id}, {"command", to_json_object(attach.command)}};
          },
          [](const Detach& detach) { return json::object{{"type", "detach"}, {"id", detach.id}}; },
          [](Resume how) { return json::object{{"type", "resume"}, {"how", to_string(how)}}; },
      },
      message));
}

std::string encode(const ToOwner& message) {
  return json::serialize(std::visit(
      Overloaded{
          [](const Running&) { return json::object{{"type", "running"}}; },
          [](const Ready&) { return json::object{{"type", "ready"}}; },
          [](const Progress& progress) {
            return json::object{{"type", "progress"}, {"journal_bytes", progress.journal_bytes}};
          },
          [](const Request& request) {
            return json::object{
                {"type", "request"}, {"id", request.id}, {"kind", request.kind}, {"json", request.json}};
          },
          [](const Finished& finished) {
            return json::object{{"type", "finished"}, {"journal_bytes", finished.journal_bytes}};
          },
          [](const Ended& end) { return json::object{{"type", "ended"}, {"json", ended_json(end)}}; },
          [](const Kept& kept) { return json::object{{"type", "kept"}, {"estate", kept.estate}, {"note", kept.note}}; },
          [](const Attached& attached) {
            return json::object{
                {"type", "attached"}, {"id", attached.id}, {"error", attached.error}, {"step", attached.step}};
          },
          [](const AttachEnded& end) {
            return json::object{
                {"type", "attach_ended"}, {"id", end.id}, {"exit_code", end.exit_code}, {"reason", end.reason}};
          },
          [](const Held& held) {
            return json::object{{"type", "held"},
                                {"step", held.step},
                                {"why", held.why},
                                {"can_retry", held.can_retry},
                                {"limit", held.limit.count()}};
          },
          [](const Resumed& resumed) { return json::object{{"type", "resumed"}, {"how", to_string(resumed.how)}}; },
      },
      message));
}

Result<ToInit> decode_to_init(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "leash"));
  std::string problem;
  const Fields fields(object, &problem);
  const std::string type = fields.text("type");
  if (type == "orders") return checked(ToInit(orders_of(fields)), problem, "leash: orders");
  if (type == "inputs") return checked(ToInit(Inputs{inputs_of(fields)}), problem, "leash: inputs");
  if (type == "cancel") return checked(ToInit(cancel_of(fields)), problem, "leash: cancel");
  if (type == "reply") {
    return checked(ToInit(Reply{fields.count("id"), fields.flag("ok"), fields.text("json")}), problem, "leash: reply");
  }
  if (type == "keep") {
    return checked(ToInit(Keep{fields.duration("orphan_grace"), fields.text("estate")}), problem, "leash: keep");
  }
  if (type == "note") return checked(ToInit(Note{fields.text("text")}), problem, "leash: note");
  if (type == "attach") {
    Attach attach{fields.count("id"), {}};
    if (const json::object* command = fields.object("command")) {
      attach.command = read_attach_command(Fields(*command, &problem));
    }
    return checked(ToInit(std::move(attach)), problem, "leash: attach");
  }
  if (type == "detach") return checked(ToInit(Detach{fields.count("id")}), problem, "leash: detach");
  if (type == "resume") {
    const auto how = resume_of(fields.text("how"));
    if (!how) return fail(ErrorKind::invalid, "leash: resume: unknown word");
    return ToInit(*how);
  }
  return fail(ErrorKind::invalid, "leash: unknown message type");
}

Result<ToOwner> decode_to_owner(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "leash"));
  std::string problem;
  const Fields fields(object, &problem);
  const std::string type = fields.text("type");
  if (type == "running") return ToOwner(Running{});
  if (type == "ready") return ToOwner(Ready{});
  if (type == "progress") return checked(ToOwner(Progress{fields.count("journal_bytes")}), problem, "leash: progress");
  if (type == "finished") return checked(ToOwner(Finished{fields.count("journal_bytes")}), problem, "leash: finished");
  if (type == "ended") {
    SW_TRY(Ended end, decode_ended(fields.required_text("json")));
    return checked(ToOwner(std::move(end)), problem, "leash: ended");
  }
  if (type == "kept") return checked(ToOwner(Kept{fields.text("estate"), fields.text("note")}), problem, "leash: kept");
  if (type == "request") {
    return checked(ToOwner(Request{fields.count("id"), fields.text("kind"), fields.text("json")}), problem,
                   "leash: request");
  }
  if (type == "attached") {
    return checked(ToOwner(Attached{fields.count("id"), fields.text("error"), fields.text("step")}), problem,
                   "leash: attached");
  }
  if (type == "attach_ended") {
    return checked(
        ToOwner(AttachEnded{fields.count("id"), static_cast<int>(fields.integer("exit_code")), fields.text("reason")}),
        problem, "leash: attach_ended");
  }
  if (type == "held") {
    return checked(
        ToOwner(Held{fields.text("step"), fields.text("why"), fields.flag("can_retry"), fields.duration("limit")}),
        problem, "leash: held");
  }
  if (type == "resumed") return ToOwner(Resumed{resume_of(fields.text("how")).value_or(Resume::go_on)});
  return fail(ErrorKind::invalid, "leash: unknown message type");
}

}  // namespace slipway::wire
