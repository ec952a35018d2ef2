#include "init/siblings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/paths.h"
#include "base/text.h"
#include "init/helper_child.h"
#include "init/step_process.h"
#include "os/files.h"
#include "os/openat2.h"
#include "wire/owner_json.h"

namespace slipway::init {

namespace {

using journal::RecordType;

constexpr std::size_t kMostAtOnce = 256;  // the owner runs few of them at a time
constexpr std::size_t kCopyBytes = 1U << 20U;

/// The directory of the file `name` below `top`, made where it is missing, through no link: a sibling may have had a
/// part of it as a share, and left one.
Result<os::Fd> open_parent(int top, const std::string& name) {
  os::Fd at(::fcntl(top, F_DUPFD_CLOEXEC, 3));
  for (std::size_t begin = 0, slash = 0; (slash = name.find('/', begin)) != std::string::npos; begin = slash + 1) {
    const std::string part = name.substr(begin, slash - begin);
    const std::string so_far = name.substr(0, slash);
    if (::mkdirat(at.get(), part.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno(errno, "making " + so_far);
    os::Fd next = os::open_held(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY, os::kBeneath);
    if (!next && errno == ELOOP) return fail(ErrorKind::denied, so_far + " is a link, which is not followed");
    if (!next) return fail_errno(errno, "opening " + so_far);
    at = std::move(next);
  }
  return at;
}

/// One file, with the rights of the step's user. It is data: no bit of its mode comes along.
Result<std::uint64_t> copy_file(int from, int directory, const std::string& path, std::uint64_t most) {
  (void)::unlinkat(directory, path.c_str(), 0);  // of an earlier command; whatever else is wrong shows right below
  const os::Fd to(::openat(directory, path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!to) return fail_errno(errno, "writing " + path);
  std::vector<char> buffer(kCopyBytes);
  std::uint64_t copied = 0;
  for (;;) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading " + path);
    if (got == 0) return copied;
    copied += static_cast<std::uint64_t>(got);
    if (copied > most) {
      return fail(ErrorKind::exhausted, fmt::format("a command may hand over {} bytes", wire::kMaxSourceOutputBytes));
    }
    SW_CHECK(os::write_all(to.get(), std::string_view(buffer.data(), static_cast<std::size_t>(got))));
  }
}

Result<std::string> copy_files(const std::string& directory, const std::vector<std::string>& names,
                               const std::vector<int>& fds) {
  std::uint64_t left = wire::kMaxSourceOutputBytes;
  SW_CHECK(os::make_directories(directory, 0755));
  SW_TRY(const os::Fd top, os::open_file(directory, O_RDONLY | O_DIRECTORY));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto parent = open_parent(top.get(), names[i]);
    if (!parent) return wrap(parent.error(), "output " + names[i]);
    const std::string file = names[i].substr(names[i].rfind('/') + 1);
    const auto copied = copy_file(fds[i], parent->get(), file, left);
    if (!copied) {
      (void)::unlinkat(parent->get(), file.c_str(), 0);  // a part of it would be taken for the whole
      return wrap(copied.error(), "output " + names[i]);
    }
    left -= *copied;
  }
  return std::string();
}

/// A command that does not hand over what it was to has failed.
wire::Ended without(const std::vector<std::string>& missing, wire::Ended end) {
  if (missing.empty() || end.outcome != model::Outcome::succeeded) return end;
  end.outcome = model::Outcome::failed;
  end.exit_code = 1;
  end.reason = join(missing, "; ");
  return end;
}

wire::Ended infra_failed(std::string reason) { return {model::Outcome::infra_failed, 0, std::move(reason), 0, 0}; }

}  // namespace

Result<void> Siblings::check(const wire::SandboxRequest& request) const {
  const std::string below = parts_.entry.workspace + "/";
  for (const std::string& output : request.outputs) {
    if (!is_clean_relative(output)) {
      return fail(ErrorKind::invalid, fmt::format("`{}` is no file below {}src", output, below));
    }
  }
  for (const std::string& share : request.shares) {
    if (!share.starts_with(below) || !is_clean_relative(std::string_view(share).substr(below.size()))) {
      return fail(ErrorKind::invalid, fmt::format("`{}` is no directory below {}", share, parts_.entry.workspace));
    }
    const std::string arriving = parts_.entry.workspace + std::string(wire::kFromSource);
    if (lies_below(share, arriving)) {
      return fail(ErrorKind::invalid,
                  fmt::format("`{}` cannot be shared: outputs arrive in {}, as the job's own", share, arriving));
    }
  }
  return {};
}

Result<std::uint64_t> Siblings::start(wire::SandboxRequest request, OnEnd on_end) {
  SW_CHECK(check(request));
  if (running_.size() >= kMostAtOnce) return fail(ErrorKind::exhausted, "too many sandboxes beside this job at once");
  SW_TRY(os::Pipe out, make_output_pipe(parts_.entry.source_id));
  SW_TRY(os::Pipe err, make_output_pipe(parts_.entry.source_id));
  const std::uint64_t id = ++last_id_;
  Running running;
  running.step = request.step;
  const std::uint16_t step = request.step;
  request.step = parts_.root_of(step);  // the owner knows those of the job
  running.on_end = std::move(on_end);
  if (!request.argv.empty()) {
    running.title = printable(parts_.records.title_of(join(request.argv, " ")), Colour::strip);
    parts_.records.append(RecordType::group, step, wire::payload::Group{true, "sandbox: " + running.title});
  }
  running.out = parts_.output.add(step, journal::Stream::out, std::move(out.read), OutputPump::Origin::source);
  running.err = parts_.output.add(step, journal::Stream::err, std::move(err.read), OutputPump::Origin::source);
  running_.emplace(id, std::move(running));
  const auto on_reply = [this, id](const wire::Reply& reply, std::vector<os::Fd> fds) {
    // Later: an owner that is lost answers within the question.
    auto kept = std::make_shared<std::vector<os::Fd>>(std::move(fds));
    parts_.poller.at(os::Clock::now(), [this, id, reply, kept] { take_reply(id, reply, std::move(*kept)); });
  };
  running_.at(id).request =
      parts_.owner.ask_with("sandbox", wire::encode(request), {out.write.get(), err.write.get()}, on_reply);
  return id;
}

void Siblings::stop(std::uint64_t id, bool at_once) {
  const auto found = running_.find(id);
  const auto wanted = at_once ? Running::Stop::at_once : Running::Stop::polite;
  if (found == running_.end() || found->second.stop >= wanted) return;
  found->second.stop = wanted;
  parts_.owner.ask("stop_sandbox", wire::encode(wire::StopSandbox{found->second.request, at_once}),
                   [](const wire::Reply&, const std::vector<os::Fd>&) {});
}

void Siblings::stop_step(std::uint16_t step) {
  for (const auto& [id, running] : running_) {
    if (running.step == step) stop(id, true);
  }
}

bool Siblings::any(std::uint16_t step) const {
  return std::ranges::any_of(running_, [&](const auto& one) { return one.second.step == step; });
}

void Siblings::take_reply(std::uint64_t id, const wire::Reply& reply, std::vector<os::Fd> fds) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  // Its last process is gone: what it printed is all there.
  parts_.output.finish_stream(found->second.out);
  parts_.output.finish_stream(found->second.err);
  if (!reply.ok) return end(id, infra_failed(wire::error_in(reply.json)));
  const auto said = wire::decode_sandbox_reply(reply.json);
  if (!said || said->outputs.size() != fds.size()) return end(id, infra_failed("the owner's answer is broken"));
  if (said->outputs.empty()) return end(id, without(said->refused, said->end));
  if (const auto begun = take_files(id, *said, std::move(fds)); !begun) end(id, infra_failed(begun.error().what));
}

Result<void> Siblings::take_files(std::uint64_t id, const wire::SandboxReply& reply, std::vector<os::Fd> fds) {
  const std::uint16_t step = parts_.root_of(running_.at(id).step);
  SW_TRY(const Identity user, identity_of(parts_.job.steps.at(step).run_as, parts_.entry));
  std::vector<int> files;
  for (const os::Fd& file : fds) files.push_back(file.get());
  const std::string directory = parts_.entry.workspace + std::string(wire::kFromSource);
  SW_TRY(HelperChild child, start_helper(user, files, [&] { return copy_files(directory, reply.outputs, files); }));
  const auto answer = std::make_shared<os::Fd>(std::move(child.answer));
  parts_.children.expect(child.pid, [this, id, answer, reply](const ChildEnd&) {
    const auto text = os::read_all(answer->get(), kMaxHelperAnswer);
    std::vector<std::string> missing = reply.refused;
    if (const auto done = helper_answer(text.value_or("")); !done) missing.push_back(done.error().what);
    end(id, without(missing, reply.end));
  });
  return {};
}

void Siblings::end(std::uint64_t id, const wire::Ended& how) {
  auto node = running_.extract(id);
  if (node.empty()) return;
  const Running ended = std::move(node.mapped());
  if (!ended.title.empty()) {
    const bool succeeded = how.outcome == model::Outcome::succeeded;
    const std::string reason = succeeded ? "exit code 0" : parts_.records.masked(how.reason);
    // What the command exits with is its caller's to judge.
    const bool is_callers = how.outcome == model::Outcome::failed || how.outcome == model::Outcome::cancelled;
    if (!succeeded && !is_callers) {
      parts_.records.notice(ended.step, "sandbox_failed", fmt::format("sandbox: {}: {}", ended.title, reason));
    }
    parts_.records.append(RecordType::group, ended.step, wire::payload::Group{false, reason});
  }
  ended.on_end(how);
}

}  // namespace slipway::init
