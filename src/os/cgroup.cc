#include "os/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "os/files.h"

namespace slipway::os {

namespace {

constexpr std::size_t kMaxFile = 1U << 20U;
constexpr std::uint64_t kCpuPeriodMicros = 100'000;
constexpr std::uint64_t kLeastQuotaMicros = 1'000;  // the kernel refuses less

std::uint64_t to_number(std::string_view text) {
  std::uint64_t value = 0;
  text = trim(text);
  std::from_chars(text.data(), text.data() + text.size(), value);  // "max" and nonsense: 0
  return value;
}

Result<std::string> read_at(int directory, const char* name) {
  const Fd fd(::openat(directory, name, O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, name);
  return read_all(fd.get(), kMaxFile);
}

Result<void> write_at(int directory, const char* name, std::string_view value) {
  const Fd fd(::openat(directory, name, O_WRONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, std::string("opening ") + name);
  if (::write(fd.get(), value.data(), value.size()) < 0) return fail_errno(errno, std::string("writing ") + name);
  return {};
}

// The number after `key` in lines of "key value".
std::uint64_t keyed(std::string_view text, std::string_view key) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ') {
      return to_number(line.substr(key.size() + 1));
    }
  }
  return 0;
}

// v1 lines: `8:0 Read 4096`. v2 lines: `8:0 rbytes=4096 wbytes=0 ...`.
void add_io(std::string_view text, CgroupFigures& figures) {
  for (const std::string_view line : split(text, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() == 3 && words[1] == "Read") figures.io_read_bytes += to_number(words[2]);
    if (words.size() == 3 && words[1] == "Write") figures.io_written_bytes += to_number(words[2]);
    for (const std::string_view word : words) {
      if (word.starts_with("rbytes=")) figures.io_read_bytes += to_number(word.substr(7));
      if (word.starts_with("wbytes=")) figures.io_written_bytes += to_number(word.substr(7));
    }
  }
}

void add_figures(int directory, int version, unsigned controllers, CgroupFigures& figures) {
  const auto text = [&](const char* name) { return read_at(directory, name).value_or(""); };
  if (version == 1) {
    if ((controllers & CgroupDirectory::cpuacct) != 0) figures.cpu_micros += to_number(text("cpuacct.usage")) / 1000;
    if ((controllers & CgroupDirectory::memory) != 0) {
      figures.memory_peak_bytes += to_number(text("memory.max_usage_in_bytes"));
      figures.out_of_memory_kills += keyed(text("memory.oom_control"), "oom_kill");
    }
    if ((controllers & CgroupDirectory::io) != 0) add_io(text("blkio.throttle.io_service_bytes_recursive"), figures);
    return;
  }
  figures.cpu_micros += keyed(text("cpu.stat"), "usage_usec");
  if ((controllers & CgroupDirectory::memory) != 0) {
    const auto peak = read_at(directory, "memory.peak");  // since 5.19
    figures.memory_peak_bytes += to_number(peak ? *peak : text("memory.current"));
    figures.out_of_memory_kills += keyed(text("memory.events"), "oom_kill");
  }
  if ((controllers & CgroupDirectory::io) != 0) add_io(text("io.stat"), figures);
}

std::vector<pid_t> processes_of(int directory) {
  std::vector<pid_t> found;
  const auto text = read_at(directory, "cgroup.procs");
  if (!text) return found;
  for (const std::string_view line : split(*text, '\n')) {
    const auto pid = static_cast<pid_t>(to_number(line));
    if (pid > 0) found.push_back(pid);  // 0: a process of another pid namespace
  }
  return found;
}

}  // namespace

CgroupFigures figures_of(const CgroupDirectory& directory) {
  CgroupFigures figures;
  add_figures(directory.fd.get(), directory.version, directory.controllers, figures);
  return figures;
}

// --- inside ---

bool StepCgroup::enter() const {
  for (const Part& part : parts_) {
    if (part.entrance && ::write(part.entrance.get(), "0", 1) != 1) return false;
  }
  return true;
}

CgroupFigures StepCgroup::figures() const {
  CgroupFigures figures;
  for (const Part& part : parts_) {
    if (part.own) add_figures(part.directory.get(), part.version, part.controllers, figures);
    if (part.entrance) continue;
    CgroupFigures all;  // of every step and of init: only what tells why a step was killed is used
    add_figures(part.directory.get(), part.version, part.controllers, all);
    figures.out_of_memory_kills += all.out_of_memory_kills - std::min(part.kills_before, all.out_of_memory_kills);
  }
  return figures;
}

std::vector<pid_t> StepCgroup::processes() const {
  for (const Part& part : parts_) {
    if (part.own) return processes_of(part.directory.get());  // every process of the step is in each of its groups
  }
  return {};
}

Result<void> StepCgroup::remove() {
  parts_.clear();
  Result<void> outcome;
  for (const auto& [parent, name] : made_) {
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
      outcome = fail_errno(errno, "removing the group " + name);
    }
  }
  if (outcome) made_.clear();
  return outcome;
}

Result<StepCgroup> StepCgroups::create(const std::string& name) const {
  constexpr unsigned kWithFigures = CgroupDirectory::memory | CgroupDirectory::cpuacct | CgroupDirectory::io;
  StepCgroup step;
  ScopeExit undo([&] { (void)step.remove(); });  // what cannot be removed now goes with the sandbox
  for (const CgroupDirectory& sandbox : directories_) {
    StepCgroup::Part part;
    part.version = sandbox.version;
    part.controllers = sandbox.controllers;
    if (sandbox.use == CgroupDirectory::Use::watched) {
      part.directory = Fd(::openat(sandbox.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      part.kills_before = figures_of(sandbox).out_of_memory_kills;
      if (part.directory) step.parts_.push_back(std::move(part));
      continue;
    }
    // On v1 a hierarchy that only limits (pids, cpu) needs no group a step: the sandbox's own does.
    part.own = sandbox.version == 2 || (sandbox.controllers & kWithFigures) != 0;
    const int parent = sandbox.fd.get();
    if (part.own) {
      if (::mkdirat(parent, name.c_str(), 0755) != 0) return fail_errno(errno, "making the group " + name);
      step.made_.emplace_back(parent, name);
      part.directory = Fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    } else {
      part.directory = Fd(::openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    if (!part.directory) return fail_errno(errno, "opening the group " + name);
    const char* entrance = sandbox.version == 1 ? "tasks" : "cgroup.procs";
    part.entrance = Fd(::openat(part.directory.get(), entrance, O_WRONLY | O_CLOEXEC));
    if (!part.entrance) return fail_errno(errno, "opening the entrance of the group " + name);
    step.parts_.push_back(std::move(part));
  }
  undo.release();
  return step;
}

// --- on the host ---

namespace {

std::uint64_t kills_below(int group) {
  std::uint64_t kills = 0;
  DIR* entries = ::fdopendir(::openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (entries == nullptr) return 0;
  const ScopeExit close([&] { ::closedir(entries); });
  while (const dirent* entry = ::readdir(entries)) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    const Fd child(::openat(group, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (child) kills += keyed(read_at(child.get(), "memory.oom_control").value_or(""), "oom_kill");
  }
  return kills;
}

}  // namespace

CgroupFigures SandboxCgroup::figures() const {
  CgroupFigures figures;
  for (const CgroupDirectory& directory : directories_) {
    add_figures(directory.fd.get(), directory.version, directory.controllers, figures);
    if (directory.version == 1 && (directory.controllers & CgroupDirectory::memory) != 0) {
      figures.out_of_memory_kills += kills_below(directory.fd.get());
    }
  }
  return figures;
}

namespace {

Result<void> limit_v1(const CgroupDirectory& group, const CgroupLimits& limits) {
  const int at = group.fd.get();
  if ((group.controllers & CgroupDirectory::memory) != 0 && limits.memory_bytes) {
    const std::string bytes = std::to_string(*limits.memory_bytes);
    SW_CHECK(write_at(at, "memory.limit_in_bytes", bytes));
    (void)write_at(at, "memory.memsw.limit_in_bytes", bytes);  // absent where swap is not accounted
  }
  if ((group.controllers & CgroupDirectory::pids) != 0 && limits.pids) {
    SW_CHECK(write_at(at, "pids.max", std::to_string(*limits.pids)));
  }
  if ((group.controllers & CgroupDirectory::cpu) != 0 && limits.cpus) {
    const auto quota = static_cast<std::uint64_t>(*limits.cpus * static_cast<double>(kCpuPeriodMicros));
    SW_CHECK(write_at(at, "cpu.cfs_quota_us", std::to_string(std::max(quota, kLeastQuotaMicros))));
  }
  return {};
}

Result<void> limit_v2(const CgroupDirectory& group, const CgroupLimits& limits) {
  const int at = group.fd.get();
  if ((group.controllers & CgroupDirectory::memory) != 0 && limits.memory_bytes) {
    SW_CHECK(write_at(at, "memory.max", std::to_string(*limits.memory_bytes)));
    (void)write_at(at, "memory.swap.max", "0");  // absent where swap is not accounted
  }
  if ((group.controllers & CgroupDirectory::pids) != 0 && limits.pids) {
    SW_CHECK(write_at(at, "pids.max", std::to_string(*limits.pids)));
  }
  if ((group.controllers & CgroupDirectory::cpu) != 0 && limits.cpus) {
    const auto quota = static_cast<std::uint64_t>(*limits.cpus * static_cast<double>(kCpuPeriodMicros));
    SW_CHECK(write_at(at, "cpu.max", fmt::format("{} {}", std::max(quota, kLeastQuotaMicros), kCpuPeriodMicros)));
  }
  return {};
}

Result<Fd> make_group(int parent, const char* name) {
  if (::mkdirat(parent, name, 0755) != 0 && errno != EEXIST) return fail_errno(errno, std::string("making ") + name);
  Fd fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, std::string("opening ") + name);
  return fd;
}

// `owner` may make groups below, and move its own processes in.
Result<void> delegate(int group, const char* entrance, uid_t owner) {
  if (::geteuid() != 0) return {};  // rootless: it is the caller's already
  if (::fchown(group, owner, owner) != 0) return fail_errno(errno, "handing a group over");
  if (::fchownat(group, entrance, owner, owner, 0) != 0) return fail_errno(errno, "handing a group over");
  return {};
}

// Controllers as v2 names them, of those in `bits`, in the form of cgroup.subtree_control.
std::string enabling(unsigned bits) {
  std::string text;
  if ((bits & CgroupDirectory::memory) != 0) text += "+memory ";
  if ((bits & CgroupDirectory::pids) != 0) text += "+pids ";
  if ((bits & CgroupDirectory::cpu) != 0) text += "+cpu ";
  if ((bits & CgroupDirectory::io) != 0) text += "+io ";
  return text;
}

}  // namespace

bool CgroupRoot::starts_in_leaf() const {
  return std::any_of(parents_.begin(), parents_.end(), [](const Parent& parent) { return parent.version == 2; });
}

std::vector<std::string> CgroupRoot::paths_for(const std::string& name) const {
  std::vector<std::string> paths;
  for (const Parent& parent : parents_) paths.push_back(parent.path + "/" + name);
  return paths;
}

Result<SandboxCgroup> CgroupRoot::create(const std::string& name, const CgroupLimits& limits, uid_t owner) const {
  SandboxCgroup made;
  ScopeExit undo([&] { (void)remove_cgroups(made.paths_); });  // the caller gets the first error
  for (const Parent& parent : parents_) {
    made.paths_.push_back(parent.path + "/" + name);
    SW_TRY(Fd group, make_group(parent.fd.get(), name.c_str()));
    CgroupDirectory directory{{}, parent.version, parent.controllers};
    if (parent.version == 1) {
      directory.fd = std::move(group);
      SW_CHECK(limit_v1(directory, limits));
      SW_CHECK(delegate(directory.fd.get(), "tasks", owner));
    } else {
      // Limits hold for `job`; init lives beside it. Moving from one to the other takes rights on what is above both.
      SW_CHECK(write_at(group.get(), "cgroup.subtree_control", enabling(parent.controllers)));
      SW_TRY(directory.fd, make_group(group.get(), "job"));
      SW_TRY(made.init_leaf_, make_group(group.get(), "init"));
      SW_CHECK(limit_v2(directory, limits));
      SW_CHECK(write_at(directory.fd.get(), "cgroup.subtree_control", enabling(parent.controllers)));
      SW_CHECK(delegate(group.get(), "cgroup.procs", owner));
      SW_CHECK(delegate(directory.fd.get(), "cgroup.procs", owner));
    }
    made.directories_.push_back(std::move(directory));
  }
  undo.release();
  return made;
}

namespace {

void kill_all_in(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return;
  if (write_at(fd.get(), "cgroup.kill", "1")) return;  // v2 since 5.14
  for (const pid_t pid : processes_of(fd.get())) ::kill(pid, SIGKILL);
}

// False: something in it is still running.
bool remove_group(const std::filesystem::path& path) {
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return true;
  const auto names = list_directory(path);  // a group that vanishes meanwhile is what we want
  std::error_code gone;
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    if (std::filesystem::is_directory(std::filesystem::symlink_status(path / name, gone))) remove_group(path / name);
  }
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return true;
  kill_all_in(path);
  return false;
}

}  // namespace

Result<void> remove_cgroups(const std::vector<std::string>& paths) {
  constexpr int kTurns = 200;
  constexpr int kTurnMs = 5;
  std::vector<std::string> left = paths;
  for (int turn = 0;; ++turn) {
    std::erase_if(left, [](const std::string& path) { return remove_group(path); });
    if (left.empty()) return {};
    if (turn == kTurns) return fail(ErrorKind::conflict, "processes in " + left.front() + " do not end");
    ::poll(nullptr, 0, kTurnMs);  // killed processes leave their group when they are done
  }
}

}  // namespace slipway::os
