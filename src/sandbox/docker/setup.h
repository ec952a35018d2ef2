#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "sandbox/ids.h"

/// What the owner of a container and the `slipway-init docker` in it say to each other before the leash becomes the
/// leash of wire/leash.h. JSON over os::MessageSocket, in this order:
///  1. owner: `Setup`; of a service with a descriptor, one that its job sent.
///  2. init: {} when every directory is there that something is mounted on.
///  3. owner: `Contents`; descriptors: a bundle (os/bundle.h) each, and last the container's memory group, where the
///     owner can see it (read only). What could be mounted from outside is mounted now.
///  4. init: `Ready`, as what it will stay; of a job with services with a netlink socket of its network for each.
/// Or {"error","kind"} instead of 2 and 4, and init ends.
namespace slipway::sandbox::docker {

struct Setup {
  std::string workspace = "/job";
  std::uint32_t job_id = kRunnerId;
  bool read_only_root = false;
  std::vector<std::string> mount_points;
  int memory_group_version = 0;        ///< 0: none is sent
  std::size_t services = 0;            ///< of a job: how many may link themselves with its network
  std::optional<std::size_t> service;  ///< which one this is; no value: a job
};

struct Contents {
  struct Tree {
    std::string inside;
    std::vector<std::pair<std::string, std::string>> replaced;  ///< Mount::replaced
    bool has_bundle = false;                                    ///< of its own; else it is empty
  };
  std::vector<Tree> trees;
};

struct Ready {
  std::string no_root_steps;  ///< why no step can run as root; empty: they can
};

std::string encode(const Setup& setup);
std::string encode(const Contents& contents);
std::string encode(const Ready& ready);
std::string encode(const Error& error);
Result<Setup> decode_setup(std::string_view text);
Result<Contents> decode_contents(std::string_view text);
/// Of answer 2 and 4 alike: the first is `Ready` too, with nothing in it.
Result<Ready> decode_ready(std::string_view text);

}  // namespace slipway::sandbox::docker
