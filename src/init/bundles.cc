#include "init/bundles.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "os/files.h"

namespace slipway::init {

namespace {

constexpr std::size_t kMaxRefusedShown = 20;
constexpr const char* kNoTime = "the job ran out of time before it was packed";

std::string_view word_of(wire::BundleKind kind) { return kind == wire::BundleKind::cache ? "cache" : "artifact"; }

std::string without_dot(std::string path) {
  while (path.starts_with("./")) path.erase(0, 2);
  return path;
}

Result<os::Fd> open_directory(const std::string& path) {
  os::Fd fd(os::open_job_directory(path.c_str()));
  if (!fd) return fail_errno(errno, "opening " + path);
  return fd;
}

/// What a packing child tells: `wire::payload::Artifact` as text.
std::string report_text(const os::BundleReport& report) {
  wire::payload::Artifact artifact;
  artifact.files = report.files;
  artifact.bytes = report.bytes;
  artifact.refused = report.refused;
  if (artifact.refused.size() > kMaxRefusedShown) artifact.refused.resize(kMaxRefusedShown);
  return wire::payload::encode(artifact);
}

Result<std::string> pack_here(const BundleTask& task, int out, const os::BundleLimits& left,
                              const RecordKeeper& records) {
  SW_TRY(const os::Fd root, open_directory(task.root));
  const os::Links links = task.kind == wire::BundleKind::cache ? os::Links::inside : os::Links::refuse;
  // Names of an artifact's files are shown; a cache is only ever unpacked again.
  os::IsSecret is_secret;
  if (task.kind == wire::BundleKind::artifact) {
    is_secret = [&](std::string_view path) { return records.masked(path) != path; };
  }
  const auto report = os::pack(root.get(), task.globs, out, links, left, std::move(is_secret));
  if (!report && report.error().kind == ErrorKind::exhausted) {
    return wrap(report.error(), "all that a job passes on may take as much as its disk");
  }
  if (!report) return std::unexpected(report.error());
  return report_text(*report);
}

Result<std::string> unpack_here(const Bundles::Input& input) {
  // The journal of a job is written by init alone: this process may only make what the step's user may make.
  if (!input.keep_absolute) SW_CHECK(os::make_directories(input.directory, 0755));
  SW_TRY(const os::Fd target, open_directory(input.keep_absolute ? "/" : input.directory));
  const os::Links links = input.keep_absolute ? os::Links::inside : os::Links::refuse;
  const auto done = os::unpack(input.fd, target.get(), links, {});
  if (done) return std::string();
  switch (done.error().kind) {
    case ErrorKind::exhausted: return fail(ErrorKind::invalid, "the job's disk is full: " + done.error().what);
    case ErrorKind::invalid: return fail(ErrorKind::internal, done.error().what);  // the bundle is broken
    default: return std::unexpected(done.error());
  }
}

}  // namespace

Result<BundleTask> artifact_task(const std::string& workspace, std::string name,
                                 const std::vector<std::string>& paths) {
  const std::string source = workspace + "/src/";
  const std::string whole = workspace + "/";
  bool in_source = true;
  for (const std::string& path : paths) {
    if (!path.starts_with('/') || path.starts_with(source)) continue;
    in_source = false;
    if (!path.starts_with(whole)) {
      return fail(ErrorKind::invalid, fmt::format("`{}` is not below {}", path, workspace));
    }
  }
  BundleTask task{wire::BundleKind::artifact, std::move(name), in_source ? workspace + "/src" : workspace, {}};
  for (const std::string& path : paths) {
    if (!path.starts_with('/')) {
      task.globs.push_back((in_source ? "" : "src/") + without_dot(path));
    } else {
      task.globs.push_back(path.substr(in_source ? source.size() : whole.size()));
    }
  }
  return task;
}

BundleTask cache_task(const std::string& workspace, const std::string& home, std::string key,
                      const std::vector<std::string>& paths) {
  BundleTask task{wire::BundleKind::cache, std::move(key), "/", {}};
  for (const std::string& path : paths) {
    std::string absolute = path;
    if (path.starts_with("~/")) {
      absolute = home + path.substr(1);
    } else if (!path.starts_with('/')) {
      absolute = workspace + "/src/" + without_dot(path);
    }
    task.globs.push_back(absolute.substr(1));
  }
  return task;
}

Bundles::~Bundles() { poller_.unwatch(current_.watch); }

void Bundles::run(const Identity& identity, std::vector<int> kept, std::function<Result<std::string>()> work,
                  Then then) {
  if (aborted_) return then(fail(ErrorKind::cancelled, "the job is being cancelled"));
  if (current_.then) return waiting_.push_back({identity, std::move(kept), std::move(work), std::move(then)});
  auto child = start_helper(identity, std::move(kept), work);
  if (!child) return then(std::unexpected(child.error()));
  current_ = Current{child->pid, std::move(child->answer), {}, Poller::kNone, false, false, std::move(then)};
  current_.watch = poller_.watch(current_.answer.get(), POLLIN, [this] { read_answer(); });
  children_.expect(current_.pid, [this](const ChildEnd&) {
    current_.child_ended = true;
    read_answer();
    current_.answer_ended = true;  // whoever else holds the pipe has nothing to say
    end_if_done();
  });
}

void Bundles::read_answer() {
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(current_.answer.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) break;
    current_.text.append(buffer.data(), static_cast<std::size_t>(got));
    if (current_.text.size() > kMaxHelperAnswer) break;
  }
  current_.answer_ended = true;
  poller_.set_events(current_.watch, 0);
  end_if_done();
}

void Bundles::end_if_done() {
  if (!current_.answer_ended || !current_.child_ended || !current_.then) return;
  poller_.unwatch(current_.watch);
  const Current ended = std::exchange(current_, Current{});
  ended.then(helper_answer(ended.text));
  while (!current_.then && !waiting_.empty()) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    run(next.identity, std::move(next.kept), std::move(next.work), std::move(next.then));
  }
}

void Bundles::abort() {
  bool is_first = is_storing_;
  for (Batch& batch : batches_) {
    for (const BundleTask& task : std::exchange(batch.tasks, {})) {
      // The first one's answer tells of it, unless the owner has not been heard yet.
      if (!std::exchange(is_first, false) || current_.pid <= 0) tell(task, kNoTime);
    }
  }
  aborted_ = true;
  if (current_.pid > 0 && children_.is_expected(current_.pid)) ::kill(current_.pid, SIGKILL);
}

void Bundles::collect(const Identity& identity, std::deque<BundleTask> tasks, std::function<void(const Stored&)> then) {
  batches_.push_back({identity, std::move(tasks), std::move(then), {}});
  if (!is_storing_) next_task();
}

void Bundles::next_task() {
  while (!batches_.empty() && batches_.front().tasks.empty()) {
    const Batch done = std::move(batches_.front());
    batches_.pop_front();
    done.then(done.stored);
    if (is_storing_) return;  // `then` had more to store
  }
  if (batches_.empty()) return;
  is_storing_ = true;
  const BundleTask& task = batches_.front().tasks.front();
  owner_.ask("open_bundle", wire::open_bundle_json(task.kind, task.name),
             [this](const wire::Reply& reply, std::vector<os::Fd> fds) {
               if (batches_.front().tasks.empty()) return end_task();  // it was aborted
               const BundleTask asked = batches_.front().tasks.front();
               if (!reply.ok) return give_up(asked, wire::is_needless(reply.json) ? "" : wire::error_in(reply.json));
               const auto bundle = wire::bundle_in(reply.json);
               if (!bundle || fds.empty()) return give_up(asked, "the owner's answer is broken");
               pack(*bundle, std::move(fds[0]));
             });
}

// That owner is gone, and with it what it had begun to store: the task at hand begins anew with the next one.
bool Bundles::is_of_another(std::uint64_t owner) const {
  return owner_.owner_number() != owner && !batches_.front().tasks.empty();
}

void Bundles::end_task() {
  is_storing_ = false;
  if (!batches_.front().tasks.empty()) batches_.front().tasks.pop_front();
  next_task();
}

void Bundles::pack(std::uint64_t bundle, os::Fd out) {
  const BundleTask task = batches_.front().tasks.front();
  const std::uint64_t owner = owner_.owner_number();
  const auto file = std::make_shared<os::Fd>(std::move(out));
  run(
      batches_.front().identity, {file->get()},
      [this, task, file] { return pack_here(task, file->get(), left_, records_); },
      [this, bundle, task, file, owner](Result<std::string> report) {
        if (is_of_another(owner)) return next_task();
        const std::uint64_t bytes = report ? spend(file->get()) : 0;
        close_bundle({bundle, owner, bytes}, task, std::move(report));
      });
}

/// One that was not packed to its end is thrown away by the owner.
std::uint64_t Bundles::spend(int bundle) {
  struct stat status{};
  if (::fstat(bundle, &status) != 0) return 0;
  const std::uint64_t bytes = std::min(left_.bytes, static_cast<std::uint64_t>(status.st_size));
  left_.bytes -= bytes;
  return bytes;
}

void Bundles::close_bundle(const Packed& packed, const BundleTask& task, Result<std::string> report) {
  owner_.ask("close_bundle", wire::close_bundle_json(packed.bundle, report.has_value()),
             [this, task, packed, report = std::move(report)](const wire::Reply& reply, std::vector<os::Fd>) {
               if (!reply.ok && is_of_another(packed.owner)) {
                 left_.bytes += packed.bytes;
                 return next_task();
               }
               if (!report) {
                 const bool nothing = report.error().kind == ErrorKind::not_found && task.may_be_empty;
                 return nothing ? give_up(task, {}) : give_up(task, report.error().what);
               }
               if (!reply.ok) return give_up(task, wire::error_in(reply.json));
               auto artifact = wire::payload::decode<wire::payload::Artifact>(*report);
               if (!artifact) return give_up(task, artifact.error().what);
               artifact->name = task.name;
               artifact->kind = task.kind == wire::BundleKind::cache ? wire::payload::Artifact::Kind::cache
                                                                     : wire::payload::Artifact::Kind::artifact;
               artifact->url = wire::url_in(reply.json);
               for (std::string& one : artifact->refused) one = records_.masked(one);
               records_.append(journal::RecordType::artifact, task.step, *artifact);
               if (task.kind == wire::BundleKind::artifact) stored_.push_back(task.name);
               batches_.front().stored.push_back(*std::move(artifact));
               end_task();
             });
}

void Bundles::tell(const BundleTask& task, const std::string& why) {
  records_.notice(task.step, std::string(word_of(task.kind)) + "_not_stored",
                  fmt::format("{} `{}` was not stored: {}", word_of(task.kind), task.name, why));
}

void Bundles::give_up(const BundleTask& task, const std::string& why) {
  if (!why.empty()) tell(task, why);
  end_task();
}

void Bundles::unpack(const Identity& identity, std::deque<Input> inputs, std::function<void(Result<void>)> then) {
  if (inputs.empty()) return then({});
  const Input input = inputs.front();
  inputs.pop_front();
  run(
      identity, {input.fd}, [input] { return unpack_here(input); },
      [this, identity, input, rest = std::move(inputs), then = std::move(then)](Result<std::string> done) {
        if (!done && !input.keep_absolute) return then(wrap(done.error(), "unpacking into " + input.directory));
        if (!done)
          records_.notice(journal::kNoStep, "cache_not_restored", "a cache was not restored: " + done.error().what);
        unpack(identity, rest, then);
      });
}

}  // namespace slipway::init
