#include "sandbox/docker/seccomp_profile.h"

#include <sys/syscall.h>

#include <string_view>

#include <boost/json.hpp>

namespace slipway::sandbox::docker {

namespace json = boost::json;

namespace {

// By name, since the daemon resolves them for its own architecture.
constexpr std::string_view kAllowed[] = {
#define SLIPWAY_CALL(number) #number,
#include "os/seccomp_calls.inc"
#undef SLIPWAY_CALL
    // Of init alone: every step is under a filter that refuses them before it executes anything.
    "SYS_clone", "SYS_unshare", "SYS_setns", "SYS_keyctl", "SYS_personality", "SYS_socket",
};

}  // namespace

std::string seccomp_profile() {
  constexpr std::string_view kPrefix = "SYS_";
  json::array names;
  for (const std::string_view name : kAllowed) names.emplace_back(name.substr(kPrefix.size()));
  // What is newer than the list has to look absent, not refused: libraries then fall back.
  const json::array newer = {"clone3",    "futex_waitv", "set_mempolicy_home_node",
                             "cachestat", "fchmodat2",   "map_shadow_stack"};
  json::array absent;
  for (const json::value& name : newer) {
    bool listed = false;
    for (const json::value& one : names) listed = listed || one == name;
    if (!listed) absent.push_back(name);
  }
  constexpr int kNoSuchCall = 38;
  return json::serialize(json::object{
      {"defaultAction", "SCMP_ACT_ERRNO"},
      {"defaultErrnoRet", 1},
      {"syscalls",
       json::array{
           json::object{{"names", std::move(names)}, {"action", "SCMP_ACT_ALLOW"}},
           json::object{{"names", std::move(absent)}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", kNoSuchCall}}}}});
}

}  // namespace slipway::sandbox::docker
