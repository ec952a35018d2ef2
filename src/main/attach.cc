#include "main/attach.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/attach.h"
#include "cli/exit_codes.h"
#include "cli/json_writer.h"
#include "cli/summary.h"
#include "main/console.h"
#include "main/visit_server.h"
#include "net/unix_socket.h"
#include "os/files.h"
#include "store/owner.h"
#include "store/sqlite/sqlite_store.h"

namespace slipway::program {

namespace {

using namespace std::chrono_literals;

constexpr auto kAnswerLimit = 10s;
constexpr auto kSendLimit = 5s;

// A job that runs now, and the process that runs it.
struct Found {
  wire::LiveJob job;
  std::int64_t number = 0;
  std::string workflow, owner;
};

struct Answered {
  os::MessageSocket socket;
  wire::VisitReply reply;
  std::vector<os::Fd> fds;
};

Result<Answered> ask(const Surroundings& around, const std::string& owner, const wire::VisitRequest& request,
                     const os::CallLimit& limit) {
  const std::filesystem::path directory = VisitServer::directory_of(around.configuration.settings().state_dir);
  SW_TRY(os::Fd connected, net::connect_unix(directory, VisitServer::name_of(owner)));
  os::MessageSocket socket(std::move(connected));
  SW_CHECK(socket.send(wire::encode(request), {}, os::within(kSendLimit)));
  auto message = socket.receive(limit);
  if (!message && message.error().kind == ErrorKind::unavailable) {
    return fail(ErrorKind::unavailable, "the job ended before it could be looked into");
  }
  if (!message) return std::unexpected(message.error());
  SW_TRY(wire::VisitReply reply, wire::decode_visit_reply(message->text));
  if (!reply.error.empty()) return fail(ErrorKind::conflict, reply.error);
  return Answered{std::move(socket), std::move(reply), std::move(message->fds)};
}

// Every job that runs now, of whatever project.
Result<std::vector<Found>> find_live(const Surroundings& around) {
  const std::filesystem::path& state = around.configuration.settings().state_dir;
  SW_CHECK(os::make_directories(state, 0700));
  SW_TRY(const std::unique_ptr<store::Store> store, store::open_sqlite({.file = state / "store.db"}));
  SW_TRY(const std::vector<store::RunRow> rows, store->unfinished_runs());
  std::vector<Found> found;
  std::set<std::string> asked;
  for (const store::RunRow& row : rows) {
    if (!asked.insert(row.owner).second || !store::is_alive(state, row.owner)) continue;
    const auto listed = ask(around, row.owner, {}, os::within(kAnswerLimit));
    if (!listed) continue;  // it ends just now
    for (const wire::LiveJob& job : listed->reply.jobs) {
      const auto run = std::ranges::find(rows, RunId(job.run), &store::RunRow::id);
      if (run != rows.end()) found.push_back({job, run->number, run->workflow, row.owner});
    }
  }
  std::ranges::sort(found, {}, [](const Found& one) { return std::pair(one.job.run, one.job.job); });
  return found;
}

bool is_run(const Found& one, std::string_view text) {
  constexpr std::size_t kShortestPrefix = 4;
  if (text.starts_with('#')) text.remove_prefix(1);
  return one.job.run == text || std::to_string(one.number) == text ||
         (text.size() >= kShortestPrefix && one.job.run.starts_with(text));
}

std::string shown(const Found& one) {
  std::string text = fmt::format("{} {}", one.job.run, cli::shell_quoted(one.job.job));
  text += fmt::format("   # run {} of {}", one.number, one.workflow);
  if (!one.job.step.empty()) {
    text += fmt::format(", held {} step `{}`: {}", one.job.can_retry ? "after" : "before", one.job.step, one.job.why);
  }
  return printable(text, Colour::strip);
}

// The one that is meant; of several the one that is held, where such are wanted.
enum class Wanted { any, held };
Result<Found> choose(const Surroundings& around, const cli::LiveChoice& choice, Wanted wanted,
                     const std::string& command) {
  SW_TRY(std::vector<Found> live, find_live(around));
  if (live.empty()) return fail(ErrorKind::not_found, "no job runs now");
  std::vector<Found> fit = live;
  const auto keep = [&](const auto& which) { std::erase_if(fit, [&](const Found& one) { return !which(one); }); };
  if (!choice.run.empty()) {
    if (choice.run == "latest") {
      keep([&](const Found& one) { return one.job.run == live.back().job.run; });  // ids grow with time
    } else {
      keep([&](const Found& one) { return is_run(one, choice.run); });
    }
    if (fit.empty() && choice.job.empty()) {
      fit = live;
      keep([&](const Found& one) { return one.job.job == choice.run; });
    }
  }
  if (!choice.job.empty()) keep([&](const Found& one) { return one.job.job == choice.job; });
  const auto is_held = [](const Found& one) { return !one.job.step.empty(); };
  if (wanted == Wanted::held && std::ranges::any_of(fit, is_held)) keep(is_held);
  if (fit.size() == 1) return fit.front();
  std::string text = "several jobs run now: which one?";
  if (fit.empty()) {
    text = fmt::format("`{}` does not run now; what does:",
                       choice.job.empty() ? choice.run : choice.run + " " + choice.job);
    fit = live;
  }
  std::vector<std::string> commands;
  for (const Found& one : fit) {
    commands.push_back(fmt::format("`slipway {} {} {}`", command, one.job.run, cli::shell_quoted(one.job.job)));
  }
  return fail(ErrorKind::invalid, text + " " + join(commands, ", "));
}

Result<std::string> list_live(const Surroundings& around) {
  SW_TRY(const std::vector<Found> live, find_live(around));
  std::string text;
  if (!around.common.json) {
    for (const Found& one : live) text += shown(one) + "\n";
    return text;
  }
  for (const Found& one : live) {
    cli::JsonWriter json(text);
    json.begin_object().field("run", one.job.run).field("number", one.number).field("workflow", one.workflow);
    const bool held = !one.job.step.empty();
    json.field("job", one.job.job).field("held", held);
    if (held) json.field("step", one.job.step).field("why", one.job.why).field("can_retry", one.job.can_retry);
    json.end_object();
    text += '\n';
  }
  return text;
}

Result<int> attach_to(const Surroundings& around, const cli::AttachOptions& options, const SignalWatch& signals) {
  const bool terminal = options.command.empty() || options.terminal;
  if (terminal) SW_CHECK(check_terminal(around));
  SW_TRY(const Found found, choose(around, options.which, Wanted::any, "attach"));
  return look_into(around, found.owner, found.job, options.command, terminal, signals.graceful());
}

wire::VisitRequest attach_request(const Surroundings& around, const wire::LiveJob& job,
                                  const std::vector<std::string>& command, bool terminal) {
  wire::VisitRequest request{wire::VisitRequest::What::attach, job.run, job.job, {}, {}};
  request.command.argv = command;
  request.command.terminal = terminal;
  const cli::WindowSize size = cli::window_size(STDIN_FILENO);
  request.command.rows = size.rows;
  request.command.columns = size.columns;
  if (const auto term = around.environment.find("TERM"); term != around.environment.end()) {
    request.command.term = term->second;
  }
  return request;
}

void greet(const wire::LiveJob& job, const std::string& step) {
  std::string text = fmt::format(
      "slipway: in the sandbox of job {} as step `{}` finds it; nothing here is masked or recorded", job.job, step);
  if (!job.step.empty()) text += "; `slipway continue`, `retry` and `abort` go on";
  std::fputs((printable(text, Colour::strip) + "\n").c_str(), stderr);
}

}  // namespace

Result<void> check_terminal(const Surroundings& around) {
  if (!around.common.no_input && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) return {};
  return fail(ErrorKind::invalid, "a shell needs a terminal as its input and output: say what to run behind `--`");
}

Result<int> look_into(const Surroundings& around, const std::string& owner, const wire::LiveJob& job,
                      const std::vector<std::string>& command, bool terminal, const std::stop_token& stop) {
  // A job whose sandbox is only being made is waited for.
  SW_TRY(Answered answered,
         ask(around, owner, attach_request(around, job, command, terminal), {stop, os::Deadline::max()}));
  cli::AttachedCommand attached{std::move(answered.socket), std::move(answered.fds)};
  cli::AttachOutcome outcome;
  if (terminal) {
    if (around.common.verbosity != cli::Verbosity::quiet) greet(job, answered.reply.step);
    SW_TRY(cli::RawTerminal raw, cli::RawTerminal::enter(STDIN_FILENO));
    SW_TRY(outcome, cli::relay(std::move(attached), &raw, stop));
    if (outcome.end && outcome.end->reason.empty()) raw.trust();
  } else {
    SW_TRY(outcome, cli::relay(std::move(attached), nullptr, stop));
  }
  if (!outcome.end) return fail(ErrorKind::unavailable, "the sandbox is gone: whoever ran the job has ended");
  const std::string reason = printable(outcome.end->reason, Colour::strip);  // it may name what the job put there
  if (!reason.empty()) std::fputs(("slipway: " + reason + "\n").c_str(), stderr);
  return outcome.end->exit_code;
}

Result<void> resume(const Surroundings& around, const std::string& owner, const wire::LiveJob& job, wire::Resume how) {
  wire::VisitRequest request{wire::VisitRequest::What::resume, job.run, job.job, {}, {}};
  request.how = how;
  const auto answered = ask(around, owner, request, os::within(kAnswerLimit));
  return answered ? Result<void>() : wrap(answered.error(), "job " + job.job);
}

int attach(const Surroundings& around, const cli::AttachOptions& options, const SignalWatch& signals) {
  if (options.list) return print(list_live(around));
  const Result<int> code = attach_to(around, options, signals);
  return code ? *code : give_up(code.error(), around.common, signals);
}

int resume(const Surroundings& around, const cli::ResumeOptions& options) {
  return print([&]() -> Result<std::string> {
    SW_TRY(const Found found, choose(around, options.which, Wanted::held, options.how));
    SW_CHECK(resume(around, found.owner, found.job, wire::resume_of(options.how).value_or(wire::Resume::go_on)));
    if (around.common.json) {
      std::string text;
      cli::JsonWriter json(text);
      json.begin_object().field("run", found.job.run).field("job", found.job.job).field("step", found.job.step);
      json.field("how", options.how).end_object();
      return text + "\n";
    }
    return std::string();
  }());
}

Result<std::string> live_words(const Surroundings& around) {
  SW_TRY(const std::vector<Found> live, find_live(around));
  std::set<std::string> words;
  for (const Found& one : live) {
    words.insert(one.job.run);
    words.insert(printable(one.job.job, Colour::strip));
  }
  return fmt::format("{}{}", join(std::vector<std::string>(words.begin(), words.end()), "\n"),
                     words.empty() ? "" : "\n");
}

}  // namespace slipway::program
