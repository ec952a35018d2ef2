#include "init/client.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/paths.h"
#include "model/units.h"
#include "os/files.h"

namespace slipway::init {

namespace control = wire::control;
using namespace std::chrono_literals;

const char* const kClientUsage =
    "usage: slipway COMMAND ...        (inside a job)\n"
    "  output NAME VALUE               set an output of this job; VALUE `-` reads standard input\n"
    "  var NAME VALUE                  set a variable of the run\n"
    "  mask VALUE                      hide VALUE in all output from here on; `-` reads standard input\n"
    "  trigger FILE | JSON             ask for more jobs: a file, `-` for standard input, or the JSON itself\n"
    "  trigger --job NAME [--run TEXT] [--env K=V]... [--depends-on JOB]... [--condition TEXT]\n"
    "  annotate [--level notice|warning|error] [--file FILE] [--line N] [--title TEXT] MESSAGE\n"
    "  artifact NAME PATH...           keep files when the job ends; PATH may be a glob in quotes\n"
    "  group start NAME | group end    fold the output in between\n"
    "  step NAME [--timeout TIME] -- COMMAND ...\n"
    "                                  run COMMAND as a step of its own below this one, with its own log, figures and\n"
    "                                  TIME (90s, 10m, 2h); exits as COMMAND does, with 124 when it ran out of TIME\n"
    "  sandbox [--share DIR]... [--output FILE]... -- COMMAND ...\n"
    "                                  run COMMAND, untrusted, in a sandbox of its own that sees the source and each "
    "DIR;\n"
    "                                  a FILE of the source comes back as $SLIPWAY_WORKSPACE/from-source/FILE\n"
    "  state is-running JOB | state result JOB | state deploy ENVIRONMENT\n"
    "  changed-files [FROM [TO]]       files that changed, one a line\n"
    "  git-info                        what is known of the checkout, as JSON\n"
    "  continue | retry | abort        from a shell that you attached: how a job that is held goes on\n";

namespace {

constexpr std::size_t kStdinMost = control::kMaxValue;

std::unexpected<Error> usage(std::string what) { return fail(ErrorKind::invalid, std::move(what)); }

using Arguments = std::vector<std::string>;

Result<std::string> value_of(const std::string& argument, std::size_t most_bytes, StdinText& input) {
  if (argument != "-") return argument;
  SW_TRY(std::string text, input.read(most_bytes));
  if (text.ends_with('\n')) text.pop_back();  // `echo x | slipway mask -` means x
  return text;
}

Result<control::Request> parse_set(const Arguments& arguments, wire::payload::OutputVariable::Kind kind,
                                   StdinText& input) {
  if (arguments.size() == 2 && arguments[1].find('=') != std::string::npos) {
    const std::size_t equals = arguments[1].find('=');
    return control::Set{{kind, arguments[1].substr(0, equals), arguments[1].substr(equals + 1)}};
  }
  if (arguments.size() != 3) return usage(arguments[0] + " takes a name and a value");
  SW_TRY(std::string value, value_of(arguments[2], kStdinMost, input));
  return control::Set{{kind, arguments[1], std::move(value)}};
}

Result<control::Request> parse_mask(const Arguments& arguments, StdinText& input) {
  if (arguments.size() != 2) return usage("mask takes one value, or - for standard input");
  SW_TRY(std::string value, value_of(arguments[1], control::kMaxSecret, input));
  return control::Mask{std::move(value)};
}

/// `--name VALUE` or `--name=VALUE` at `index`, which moves behind it. No value: it is not an option.
struct Option {
  std::string name, value;
};
Result<std::optional<Option>> take_option(const Arguments& arguments, std::size_t& index) {
  const std::string& word = arguments[index];
  if (!word.starts_with("--") || word.size() == 2) return std::optional<Option>();
  if (const std::size_t equals = word.find('='); equals != std::string::npos) {
    ++index;
    return std::optional(Option{word.substr(0, equals), word.substr(equals + 1)});
  }
  if (index + 1 >= arguments.size()) return usage(word + " needs a value");
  index += 2;
  return std::optional(Option{word, arguments[index - 1]});
}

Result<control::Request> parse_trigger(const Arguments& arguments, StdinText& input) {
  if (arguments.size() == 2 && !arguments[1].starts_with("--")) {
    const std::string& word = arguments[1];
    if (word.starts_with('{')) return control::Trigger{word};
    SW_TRY(std::string text,
           word == "-" ? input.read(control::kMaxRequest) : input.read_file(word, control::kMaxRequest));
    return control::Trigger{std::move(text)};
  }
  wire::control::TriggeredJob job;
  for (std::size_t i = 1; i < arguments.size();) {
    SW_TRY(const std::optional<Option> option, take_option(arguments, i));
    if (!option) return usage("trigger: unknown argument " + arguments[i]);
    if (option->name == "--json") {
      if (arguments.size() > 3) return usage("trigger: --json says it all, so it stands alone");
      return control::Trigger{option->value};
    }
    if (option->name == "--job") {
      job.name = option->value;
    } else if (option->name == "--run") {
      job.run = option->value;
    } else if (option->name == "--condition") {
      job.condition = option->value;
    } else if (option->name == "--depends-on") {
      job.depends_on.push_back(option->value);
    } else if (option->name == "--env" && option->value.find('=') != std::string::npos) {
      const std::size_t equals = option->value.find('=');
      job.env.emplace_back(option->value.substr(0, equals), option->value.substr(equals + 1));
    } else {
      return usage("trigger: unknown option " + option->name);
    }
  }
  if (job.name.empty()) return usage("trigger takes a JSON file, JSON, or --job NAME");
  return control::Trigger{wire::control::trigger_json(job)};
}

Result<control::Request> parse_annotate(const Arguments& arguments) {
  control::Annotate annotate;
  bool has_message = false;
  for (std::size_t i = 1; i < arguments.size();) {
    SW_TRY(const std::optional<Option> option, take_option(arguments, i));
    if (!option) {
      if (has_message) return usage("annotate takes one message: put it in quotes");
      annotate.annotation.message = arguments[i++];
      has_message = true;
    } else if (option->name == "--level") {
      const auto level = wire::payload::annotation_level_of(option->value);
      if (!level) return usage("annotate: --level is notice, warning or error");
      annotate.annotation.level = *level;
    } else if (option->name == "--file") {
      annotate.annotation.file = option->value;
    } else if (option->name == "--title") {
      annotate.annotation.title = option->value;
    } else if (option->name == "--line") {
      const char* end = option->value.data() + option->value.size();
      const auto parsed = std::from_chars(option->value.data(), end, annotate.annotation.line);
      if (parsed.ec != std::errc() || parsed.ptr != end) return usage("annotate: --line is a number");
    } else {
      return usage("annotate: unknown option " + option->name);
    }
  }
  if (!has_message) return usage("annotate takes a message");
  return annotate;
}

Result<control::Request> parse_artifact(const Arguments& arguments, const std::string& working_dir) {
  if (arguments.size() < 3) return usage("artifact takes a name and paths");
  control::Artifact artifact{arguments[1], {}};
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const std::string& path = arguments[i];
    artifact.paths.push_back(path.starts_with('/') ? path : working_dir + "/" + path);
  }
  return artifact;
}

std::string absolute(const std::string& path, const std::string& working_dir) {
  std::string clean = (std::filesystem::path(working_dir) / path).lexically_normal().string();
  while (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
  return clean;
}

Result<control::Request> parse_sandbox(const Arguments& arguments, const ClientPlace& place) {
  const std::string& working_dir = place.working_dir;
  const std::string source = place.workspace + "/src";
  control::Sandbox sandbox;
  wire::SandboxRequest& request = sandbox.request;
  std::size_t i = 1;
  while (i < arguments.size() && arguments[i] != "--") {
    SW_TRY(const std::optional<Option> option, take_option(arguments, i));
    if (!option) return usage("sandbox: put `--` before the command");
    const std::string path = absolute(option->value, working_dir);
    if (option->name == "--share") {
      request.shares.push_back(path);
    } else if (option->name == "--output") {
      if (!path.starts_with(source + "/")) return usage("sandbox: --output " + path + " is not below " + source);
      request.outputs.push_back(path.substr(source.size() + 1));
    } else {
      return usage("sandbox: unknown option " + option->name);
    }
  }
  if (i + 1 >= arguments.size()) return usage("sandbox takes a command, behind `--`");
  request.argv.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i + 1), arguments.end());
  // Where the caller stands, if the sandbox has that place too.
  const bool is_seen =
      lies_below(working_dir, source) ||
      std::ranges::any_of(request.shares, [&](const std::string& share) { return lies_below(working_dir, share); });
  request.working_dir = is_seen ? working_dir : source;
  return sandbox;
}

Result<control::Request> parse_step(const Arguments& arguments, const ClientPlace& place) {
  control::RunStep step;
  std::size_t i = 1;
  while (i < arguments.size() && arguments[i] != "--") {
    SW_TRY(const std::optional<Option> option, take_option(arguments, i));
    if (!option) {
      if (!step.name.empty()) return usage("step takes one name, and `--` before the command");
      step.name = arguments[i++];
    } else if (option->name == "--timeout") {
      const auto timeout = model::parse_duration(option->value);
      if (!timeout) return usage("step: --timeout: " + timeout.error().message);
      step.timeout = *timeout;
    } else {
      return usage("step: unknown option " + option->name);
    }
  }
  if (step.name.empty()) return usage("step takes a name");
  if (i + 1 >= arguments.size()) return usage("step takes a command, behind `--`");
  step.argv.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i + 1), arguments.end());
  step.working_dir = place.working_dir;
  step.environment = place.environment;
  return step;
}

/// Ends as the command ended, and says what else became of it.
int exit_of(const std::string& command, const wire::Ended& end) {
  constexpr int kNotRun = 125, kTimedOut = 124;
  if (end.outcome == model::Outcome::succeeded) return 0;
  fmt::print(stderr, "slipway: {}: {}\n", command, end.reason);
  if (end.outcome == model::Outcome::timed_out && command == "step") return kTimedOut;
  if (end.outcome == model::Outcome::infra_failed) return kNotRun;
  if (end.exit_code != 0) return end.exit_code;
  return end.outcome == model::Outcome::failed ? 1 : kNotRun;
}

Result<control::Request> parse_group(const Arguments& arguments) {
  if (arguments.size() == 3 && arguments[1] == "start") return control::Group{{true, arguments[2]}};
  if (arguments.size() <= 3 && arguments.size() >= 2 && arguments[1] == "end") {
    return control::Group{{false, arguments.size() == 3 ? arguments[2] : ""}};
  }
  return usage("group takes `start NAME` or `end`");
}

Result<control::Request> parse_question(const Arguments& arguments) {
  if (arguments[0] == "state") {
    if (arguments.size() == 3 && arguments[1] == "deploy") {
      return control::state_question("deploy_in_progress", arguments[2]);
    }
    if (arguments.size() != 3) return usage("state takes is-running or result, and a job's name");
    if (arguments[1] == "is-running") return control::state_question("is_job_running", arguments[2]);
    if (arguments[1] == "result") return control::state_question("job_result", arguments[2]);
    return usage("state takes is-running or result, and a job's name");
  }
  if (arguments[0] == "changed-files") {
    if (arguments.size() > 3) return usage("changed-files takes at most two revisions");
    return control::changed_files_question(arguments.size() > 1 ? arguments[1] : "",
                                           arguments.size() > 2 ? arguments[2] : "");
  }
  if (arguments.size() != 1) return usage("git-info takes no argument");
  return control::AskOwner{"git_info", "{}"};
}

class RealInput final : public StdinText {
 public:
  Result<std::string> read(std::size_t most_bytes) override { return os::read_all(STDIN_FILENO, most_bytes); }
  Result<std::string> read_file(const std::string& path, std::size_t most_bytes) override {
    return os::read_stream(path, most_bytes);
  }
};

Result<void> limit_socket(int fd, int option, std::chrono::milliseconds most) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(most);
  const timeval limit{seconds.count(), std::chrono::microseconds(most - seconds).count()};
  if (::setsockopt(fd, SOL_SOCKET, option, &limit, sizeof limit) != 0) return fail_errno(errno, "setsockopt");
  return {};
}

std::unexpected<Error> in_vain(const char* what, std::chrono::milliseconds waited) {
  return fail(ErrorKind::unavailable, fmt::format("{} within {} s", what, waited.count() / 1000));
}

Result<os::Fd> connect_to(const std::string& path, const ClientLimits& limits) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(ErrorKind::invalid, "SLIPWAY_SOCKET is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "socket");
  SW_CHECK(limit_socket(fd.get(), SO_SNDTIMEO, limits.connect));  // of connect too
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  if (errno == EAGAIN)
    return in_vain("the job took no connection: too many programs of this step are asking", limits.connect);
  return fail(ErrorKind::unavailable, fmt::format("the job does not listen at {}: {}", path, ::strerrordesc_np(errno)));
}

int complain(const Error& error) {
  fmt::print(stderr, "slipway: {}\n", error.what);
  switch (error.kind) {
    case ErrorKind::unavailable: return 3;
    case ErrorKind::invalid: return 2;
    default: return 1;
  }
}

void print_result(const std::string& command, const control::Answer& answer) {
  std::string text;
  if (command == "changed-files") {
    for (const std::string& file : control::texts_in(answer.result, "files")) text += file + "\n";
  } else if (command == "state" || command == "git-info") {
    text = answer.result + "\n";
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

bool asks_for_help(const std::string& word) { return word == "--help" || word == "-h"; }

/// The usage lines of one command; all if there is none of that name.
std::string usage_of(std::string_view command) {
  std::string lines;
  std::string_view rest = kClientUsage;
  bool is_of_it = false;  // a line that begins with more spaces goes on with the one before
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n') + 1);
    if (!line.starts_with("   ")) is_of_it = line.starts_with(fmt::format("  {} ", command));
    if (is_of_it) lines += line;
    rest.remove_prefix(line.size());
  }
  return lines.empty() ? kClientUsage : "usage: slipway COMMAND ...        (inside a job)\n" + lines;
}

}  // namespace

Result<control::Request> parse_command(const Arguments& arguments, const ClientPlace& place, StdinText& input) {
  using Kind = wire::payload::OutputVariable::Kind;
  if (arguments.empty()) return usage("what is to be done?");
  const std::string& command = arguments[0];
  if (command == "output") return parse_set(arguments, Kind::output, input);
  if (command == "var") return parse_set(arguments, Kind::var, input);
  if (command == "mask") return parse_mask(arguments, input);
  if (command == "trigger") return parse_trigger(arguments, input);
  if (command == "annotate") return parse_annotate(arguments);
  if (command == "artifact") return parse_artifact(arguments, place.working_dir);
  if (command == "group") return parse_group(arguments);
  if (command == "sandbox") return parse_sandbox(arguments, place);
  if (command == "step") return parse_step(arguments, place);
  if (command == "state" || command == "changed-files" || command == "git-info") return parse_question(arguments);
  if (const auto how = wire::resume_of(command)) {
    if (arguments.size() != 1) return usage(command + " takes no argument");
    return *how;
  }
  return usage(fmt::format("`{}` is no command here", command));
}

Result<control::Answer> ask_job(const std::string& socket_path, const control::Request& request,
                                const ClientLimits& limits) {
  SW_TRY(const os::Fd socket, connect_to(socket_path, limits));
  const std::string framed = control::frame(control::encode(request));
  for (std::size_t sent = 0; sent < framed.size();) {
    const ssize_t got = ::send(socket.get(), framed.data() + sent, framed.size() - sent, MSG_NOSIGNAL);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return in_vain("the job did not take the request", limits.connect);
    if (got < 0) break;  // it was refused, and the answer that waits says why
    sent += static_cast<std::size_t>(got);
  }
  const bool asks_owner =
      std::holds_alternative<control::AskOwner>(request) || std::holds_alternative<control::Trigger>(request);
  // As long as the command: the step has a limit.
  const bool runs =
      std::holds_alternative<control::Sandbox>(request) || std::holds_alternative<control::RunStep>(request);
  const auto patience = runs ? 0ms : asks_owner ? limits.owners_answer : limits.answer;
  SW_CHECK(limit_socket(socket.get(), SO_RCVTIMEO, patience));
  control::Unframer unframer(control::kMaxAnswer);
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(socket.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return in_vain("the job did not answer", patience);
    if (got <= 0) return fail(ErrorKind::unavailable, "the job's socket was closed without an answer");
    SW_CHECK(unframer.feed(std::string_view(buffer.data(), static_cast<std::size_t>(got))));
    if (const auto text = unframer.next()) return control::decode_answer(*text);
  }
}

int client_main(const Arguments& arguments) {
  if (arguments.size() == 1 && (arguments[0] == "help" || asks_for_help(arguments[0]))) {
    fmt::print("{}", kClientUsage);
    return 0;
  }
  if (arguments.size() == 2 && (asks_for_help(arguments[1]) || arguments[0] == "help")) {
    fmt::print("{}", usage_of(arguments[0] == "help" ? arguments[1] : arguments[0]));
    return 0;
  }
  RealInput input;
  char* here = ::getcwd(nullptr, 0);
  ClientPlace place{.working_dir = here == nullptr ? "/" : here};
  ::free(here);
  for (char** entry = environ; *entry != nullptr; ++entry) place.environment.emplace_back(*entry);
  if (const char* const workspace = ::getenv("SLIPWAY_WORKSPACE"); workspace != nullptr) place.workspace = workspace;
  const auto request = parse_command(arguments, place, input);
  if (!request) {
    const int code = complain(request.error());
    if (code == 2) fmt::print(stderr, "{}", arguments.empty() ? std::string(kClientUsage) : usage_of(arguments[0]));
    return code;
  }
  const char* socket = ::getenv("SLIPWAY_SOCKET");
  if (socket == nullptr) {
    const char* what = ::getenv("SLIPWAY_SANDBOX") != nullptr
                           ? "source has no commands of its job: neither a `run_as: source` step nor what "
                             "`slipway sandbox` runs may speak for it"
                           : "SLIPWAY_SOCKET is not set: this command works inside a step of a job";
    return complain({ErrorKind::unavailable, what});
  }
  const auto answer = ask_job(socket, *request);
  if (!answer) return complain(answer.error());
  if (!answer->ok) {
    fmt::print(stderr, "slipway: {}: {}\n", arguments[0], answer->error);
    return answer->kind == ErrorKind::unavailable ? 3 : 1;
  }
  if (arguments[0] == "sandbox" || arguments[0] == "step") {
    const auto end = wire::decode_ended(answer->result);
    return end ? exit_of(arguments[0], *end) : complain(end.error());
  }
  print_result(arguments[0], *answer);
  return 0;
}

}  // namespace slipway::init
