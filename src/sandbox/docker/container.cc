#include "sandbox/docker/container.h"

#include <algorithm>

#include <boost/json.hpp>

#include <fmt/format.h>

#include "sandbox/docker/guest.h"
#include "sandbox/docker/seccomp_profile.h"
#include "sandbox/ids.h"
#include "sandbox/masked_paths.h"
#include "sandbox/private_network.h"

namespace slipway::sandbox::docker {

namespace json = boost::json;

namespace {

constexpr double kNanosPerCpu = 1e9;
constexpr double kLeastCpus = 0.01;  // of the daemon's
constexpr const char* kOwnTmpfs = "rw,nosuid,nodev,size=67108864,mode=0755";
constexpr const char* kSecretsTmpfs = "rw,nosuid,nodev,noexec,size=67108864,mode=0711";
constexpr const char* kOpenTmpfs = "rw,nosuid,nodev,exec,mode=1777";
constexpr const char* kHomeTmpfs = "rw,nosuid,nodev,exec,mode=0755";

json::object labels(const SandboxId& id, const std::filesystem::path& state_dir) {
  return {{kSandboxLabel, id.value}, {kStateLabel, state_dir.string()}};
}

json::object bind_mount(const std::string& outside, const char* inside, bool read_only) {
  return {{"Type", "bind"}, {"Source", outside}, {"Target", inside}, {"ReadOnly", read_only}};
}

// Not that of the disk: Docker's own covers what it keeps of a container, on few machines, and never what is mounted.
void add_limits(const Limits& limits, const DaemonFacts& facts, json::object& host) {
  if (limits.memory_bytes && facts.memory_limit) {
    host["Memory"] = *limits.memory_bytes;
    if (facts.swap_limit) host["MemorySwap"] = *limits.memory_bytes;
  }
  if (limits.cpus && facts.cpu_quota) {
    host["NanoCpus"] = static_cast<std::int64_t>(std::clamp(*limits.cpus, kLeastCpus, facts.cpus) * kNanosPerCpu);
  }
  if (limits.pids && facts.pids_limit) host["PidsLimit"] = *limits.pids + 1;  // and init
}

// Set up by init, and not by the daemon: a network of Docker's takes longer to make than a job to run.
void add_private_network(const PrivateNetwork& network, json::object& host) {
  host["CapAdd"].as_array().emplace_back("NET_ADMIN");
  if (!network.self) host["Sysctls"].as_object()["net.ipv4.ip_forward"] = "1";
  for (const NamedAddress& one : addresses_of(network)) {
    host["ExtraHosts"].as_array().emplace_back(one.name + ":" + one.address);
  }
}

json::array masked_paths() {
  json::array all;
  for (const char* path : kMaskedFiles) all.emplace_back(path);
  for (const char* path : kMaskedDirectories) all.emplace_back(path);
  return all;
}

json::object tmpfs_mounts(const SandboxSpec& spec) {
  // /run too: else a job's root could move it, and what is mounted in it along.
  json::object mounts{{"/run", kHomeTmpfs}, {"/run/slipway", kOwnTmpfs}, {spec.workspace + "/secrets", kSecretsTmpfs}};
  if (spec.read_only_root) {
    mounts["/tmp"] = mounts["/var/tmp"] = kOpenTmpfs;
    mounts["/home/runner"] = mounts[spec.workspace] = kHomeTmpfs;
  }
  return mounts;
}

}  // namespace

Result<DaemonFacts> read_facts(std::string_view info_json) {
  boost::system::error_code bad;
  const json::value document = json::parse(std::string(info_json), bad);
  if (bad || !document.is_object()) return fail(ErrorKind::invalid, "Docker's /info is no JSON object");
  const json::object& info = document.get_object();
  const auto flag = [&](const char* key) {
    const json::value* value = info.if_contains(key);
    return value != nullptr && value->is_bool() && value->get_bool();
  };
  const auto text = [&](const char* key) {
    const json::value* value = info.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  DaemonFacts facts;
  facts.version = text("ServerVersion");
  facts.storage_driver = text("Driver");
  facts.cgroup_version = text("CgroupVersion") == "2" ? 2 : 1;
  facts.memory_limit = flag("MemoryLimit");
  facts.swap_limit = flag("SwapLimit");
  facts.pids_limit = flag("PidsLimit");
  facts.cpu_quota = flag("CpuCfsQuota");
  if (const json::value* cpus = info.if_contains("NCPU"); cpus != nullptr && cpus->is_number()) {
    facts.cpus = std::max(1.0, cpus->to_number<double>());
  }
  if (const json::value* status = info.if_contains("DriverStatus"); status != nullptr && status->is_array()) {
    for (const json::value& pair : status->get_array()) {
      if (!pair.is_array() || pair.get_array().size() != 2) continue;
      if (pair.at(0) == "Backing Filesystem" && pair.at(1).is_string()) {
        facts.backing_file_system = pair.at(1).get_string().c_str();
      }
    }
  }
  if (const json::value* options = info.if_contains("SecurityOptions"); options != nullptr && options->is_array()) {
    for (const json::value& option : options->get_array()) {
      if (!option.is_string()) continue;
      const std::string_view name = option.get_string();
      facts.remaps_users = facts.remaps_users || name.starts_with("name=userns");
      facts.rootless = facts.rootless || name.starts_with("name=rootless");
    }
  }
  return facts;
}

std::string container_body(const SandboxSpec& spec, const ContainerPlan& plan, const DaemonFacts& facts) {
  json::array mounts = {bind_mount(plan.init_program.string(), kProgramInside, true),
                        bind_mount(plan.leash.string(), kLeashInside, false)};
  json::object host{
      {"AutoRemove", true},
      {"Init", false},
      {"NetworkMode", plan.network},
      {"IpcMode", "private"},
      {"CgroupnsMode", "private"},
      {"LogConfig", {{"Type", "none"}}},  // output is in the journal; a daemon's log is ten times slower
      {"RestartPolicy", {{"Name", "no"}}},
      {"ReadonlyRootfs", spec.read_only_root},
      {"CapDrop", {"ALL"}},
      // What init needs to set itself up, and then keeps in a user namespace of its own. Steps have none.
      {"CapAdd", {"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID", "SETPCAP", "SETFCAP", "SYS_CHROOT"}},
      {"SecurityOpt", {"no-new-privileges", "seccomp=" + seccomp_profile()}},
      {"MaskedPaths", masked_paths()},
      {"Mounts", std::move(mounts)},
      {"Tmpfs", tmpfs_mounts(spec)},
      {"Sysctls", json::object{}},
  };
  if (plan.network != "host") host["Sysctls"].get_object()["net.ipv4.ip_unprivileged_port_start"] = "0";
  // Where there is no network, Docker gives a container's own name no address.
  const bool is_service = spec.private_network && spec.private_network->self;
  host["ExtraHosts"] = json::array{};
  if (spec.network == model::Network::none && !is_service) {
    host["ExtraHosts"].as_array().emplace_back(spec.hostname + ":127.0.1.1");
  }
  if (spec.private_network) add_private_network(*spec.private_network, host);
  add_limits(spec.limits, facts, host);
  json::array devices;
  for (const std::string& name : spec.devices) {
    devices.push_back(
        json::object{{"PathOnHost", "/dev/" + name}, {"PathInContainer", "/dev/" + name}, {"CgroupPermissions", "rw"}});
  }
  host["Devices"] = std::move(devices);
  return json::serialize(json::object{
      {"Image", spec.image},
      {"Hostname", spec.hostname},
      {"User", "0:0"},
      {"WorkingDir", "/"},
      {"Entrypoint", {kProgramInside, "docker"}},
      {"Cmd", json::array{}},
      {"Healthcheck", {{"Test", {"NONE"}}}},  // an image's own would run its commands beside the steps
      {"AttachStdout", false},
      {"AttachStderr", false},
      {"Labels", labels(spec.id, plan.state_dir)},
      {"HostConfig", std::move(host)},
  });
}

std::string body_to_look_into(const std::string& image, const SandboxId& id, const std::filesystem::path& state_dir) {
  return json::serialize(json::object{{"Image", image},
                                      {"Entrypoint", {kProgramInside}},  // the daemon wants to know one
                                      {"Labels", labels(id, state_dir)},
                                      {"HostConfig", {{"NetworkMode", "none"}, {"LogConfig", {{"Type", "none"}}}}}});
}

}  // namespace slipway::sandbox::docker
