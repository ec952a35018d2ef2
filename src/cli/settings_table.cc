#include "cli/configuration.h"

namespace slipway::cli {

namespace {

constexpr std::uint64_t kMostParallel = 1024;  // a thread each

constexpr SettingRow kRows[] = {
    {"backend", SettingType::choice, "native", SettableBy::anyone, "what runs the sandboxes", "native|docker|fake",
     "fake"},
    {"image", SettingType::text, "host", SettableBy::anyone,
     "image of jobs that name none: `host`, a directory or a name", ""},
    {"state_dir", SettingType::text, "", SettableBy::operator_only, "where runs, caches and artifacts lie", ""},
    {"max_parallel", SettingType::number, "0", SettableBy::anyone, "jobs at a time; 0: one a processor", "", "", 0,
     kMostParallel},
    {"log_cap", SettingType::size, "64MiB", SettableBy::anyone, "output kept from the start of each step", ""},
    {"cache_limit", SettingType::size, "5GiB", SettableBy::operator_only,
     "caches in all; the least recently used go first", ""},
    {"require_limits", SettingType::flag, "false", SettableBy::anyone, "fail where a limit cannot be held", ""},
    {"keep", SettingType::flag, "false", SettableBy::anyone,
     "keep each job's /job/src, however it ends, as the artifact workspace-JOB", ""},
    {"triggers.follow", SettingType::flag, "false", SettableBy::anyone,
     "jobs that a job asks for become part of the run", ""},
    {"triggers.allow_stdout", SettingType::flag, "false", SettableBy::operator_only,
     "jobs may also ask by lines of output, `::slipway-trigger::JSON`, which test output can forge", ""},
    {"hold", SettingType::time, "1h", SettableBy::operator_only,
     "how long a job is held at a break (`--break`); then it is as if aborted", ""},
    {"color", SettingType::choice, "auto", SettableBy::anyone, "colours on the terminal", "auto|always|never"},
    {"sandbox.host_paths", SettingType::list, "/usr /etc /opt", SettableBy::operator_only,
     "what `image: host` shows of this machine", ""},
    {"sandbox.allow_host_network", SettingType::flag, "false", SettableBy::operator_only,
     "jobs may say `network: host`", ""},
    {"sandbox.allow_nested", SettingType::flag, "false", SettableBy::operator_only, "jobs may say `nested: true`", ""},
    {"sandbox.allow_devices", SettingType::list, "", SettableBy::operator_only,
     "devices of this machine that jobs may ask for, as `/dev/kvm`", ""},
    {"images.pull", SettingType::choice, "missing", SettableBy::anyone,
     "when a registry is asked: for images that are not here, always, never", "missing|always|never"},
    {"images.size", SettingType::size, "20GiB", SettableBy::operator_only,
     "fetched images in all; the least recently used go first", ""},
    {"sandbox.memory", SettingType::size, "", SettableBy::anyone, "memory of jobs that name none", ""},
    {"sandbox.cpu", SettingType::real, "", SettableBy::anyone, "processors of jobs that name none", ""},
    {"sandbox.pids", SettingType::number, "4096", SettableBy::anyone, "processes of jobs that name none", ""},
    {"sandbox.disk", SettingType::size, "10GiB", SettableBy::anyone, "disk of jobs that name none", ""},
    {"sandbox.pool", SettingType::size, "40GiB", SettableBy::operator_only,
     "the sparse disk image that sandboxes' files lie in", ""},
    {"source.confine", SettingType::flag, "true", SettableBy::operator_only,
     "keep git and other fetching tools apart from this machine", ""},
    {"source.limit", SettingType::size, "20GiB", SettableBy::operator_only, "what one checkout may take", ""},
    {"source.programs", SettingType::list, "", SettableBy::operator_only,
     "programs for other kinds of sources, each /DIRECTORY/slipway-source-KIND", ""},
    {"source.readable", SettingType::list, "", SettableBy::operator_only,
     "files and directories that those programs may read", ""},
    {"history.runs", SettingType::number, "500", SettableBy::operator_only, "runs kept; the oldest go first", "", "", 1,
     1'000'000},
};

}  // namespace

std::span<const SettingRow> setting_rows() { return kRows; }

}  // namespace slipway::cli
