#include "init/hooks.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "init/environment.h"
#include "os/files.h"

namespace slipway::init {

Hooks::~Hooks() {
  for (auto& [step, answer] : answers_) poller_.unwatch(answer.watch);
}

Result<os::Fd> Hooks::equip(std::uint16_t step, const wire::HookContext& context, StepCommand& command) const {
  const std::string name = fmt::format("{}.context.json", step);
  SW_CHECK(runtime_.write(name, wire::encode(context, job_), 0444));
  const std::string path = runtime_.path_of(name);
  SW_TRY(os::Fd file, os::open_file(path, O_RDONLY));
  command.stdin_fd = file.get();
  command.answers = true;
  set_variable(command.environment, "SLIPWAY_HOOK_PHASE", model::to_string(context.phase));
  set_variable(command.environment, "SLIPWAY_HOOK_CONTEXT", path);
  set_variable(command.environment, "SLIPWAY_HOOK_CHANGES", fmt::format("/dev/fd/{}", kAnswerFd));
  return file;
}

void Hooks::listen(std::uint16_t step, os::Fd pipe) {
  Answer& answer = answers_[step];
  answer.pipe = std::move(pipe);
  answer.watch = poller_.watch(answer.pipe.get(), POLLIN, [this, step] {
    Answer& open = answers_.at(step);
    if (!read_some(open)) {
      poller_.unwatch(open.watch);
      open.watch = Poller::kNone;
    }
  });
}

/// False: nothing more comes. What is over the limit is taken and dropped.
bool Hooks::read_some(Answer& answer) {
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(answer.pipe.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    const std::size_t room = wire::kMaxHookChanges + 1 - answer.text.size();
    answer.text.append(buffer.data(), std::min(room, static_cast<std::size_t>(got)));
    if (answer.text.size() > wire::kMaxHookChanges) return true;  // one piece a turn: others have theirs
  }
}

Result<void> Hooks::take_answer(std::uint16_t step, bool succeeded) {
  const auto found = answers_.find(step);
  if (found == answers_.end()) return {};
  Answer& open = found->second;
  if (open.watch != Poller::kNone) {
    poller_.unwatch(open.watch);
    read_some(open);  // a child of the hook that has the pipe still may write on: to nobody
  }
  const std::string text = std::move(open.text);
  answers_.erase(found);
  if (!succeeded) return {};
  if (text.size() > wire::kMaxHookChanges) return fail(ErrorKind::invalid, "they are over 1 MiB");
  SW_TRY(const wire::HookChanges changes, wire::decode_hook_changes(text));
  using Kind = wire::payload::OutputVariable::Kind;
  std::vector<wire::payload::OutputVariable> all;
  for (const auto& [name, value] : changes.outputs) all.push_back({Kind::output, name, value});
  for (const auto& [name, value] : changes.vars) all.push_back({Kind::var, name, value});
  SW_CHECK(set_(step, all));
  for (const auto& [name, value] : changes.env) env_[name] = value;
  return {};
}

void Hooks::apply(const model::StepSpec& step, StepCommand& command) const {
  for (const auto& [name, value] : env_) {
    const bool is_steps = std::ranges::any_of(step.env, [&](const auto& own) { return own.first == name; });
    if (is_steps) continue;
    // `slipway` is always found first.
    const std::string bin = runtime_.path_of("bin") + ":";
    set_variable(command.environment, name, name == "PATH" ? bin + value : value);
  }
}

}  // namespace slipway::init
