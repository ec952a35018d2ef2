#include "sandbox/adoption.h"

#include <fcntl.h>

#include <charconv>

#include <boost/json.hpp>

#include "net/unix_socket.h"
#include "os/files.h"
#include "os/message_socket.h"
#include "os/wait.h"
#include "wire/leash.h"

namespace slipway::sandbox {

namespace json = boost::json;

namespace {

constexpr auto kSayWithin = std::chrono::seconds(5);
// Whoever lists orphans has the lock of each for a moment.
constexpr int kLooks = 3;
constexpr auto kBetweenLooks = std::chrono::milliseconds(5);
constexpr const char* kListenerName = "next-owner";
constexpr const char* kLock = "lock";

// The names of `held` stand in the order of the descriptors.
std::string encode(const std::map<std::string, std::string>& facts, const std::map<std::string, int>& held) {
  json::object said, object;
  for (const auto& [name, text] : facts) said[name] = text;
  json::array names;
  for (const auto& [name, fd] : held) names.emplace_back(name);
  object["facts"] = std::move(said);
  object["held"] = std::move(names);
  return json::serialize(object);
}

Result<Estate> decode(const std::string& text, std::vector<os::Fd> fds) {
  Estate estate;
  try {
    const json::value document = json::parse(text);
    for (const auto& [name, value] : document.at("facts").as_object()) {
      estate.facts[std::string(name)] = value.as_string().c_str();
    }
    const json::array& names = document.at("held").as_array();
    if (names.size() != fds.size()) return fail(ErrorKind::invalid, "an estate lacks descriptors");
    for (std::size_t i = 0; i < fds.size(); ++i) estate.held[names[i].as_string().c_str()] = std::move(fds[i]);
  } catch (const std::exception& problem) {  // of the parser, or of what is missing
    return fail(ErrorKind::invalid, std::string("an estate: ") + problem.what());
  }
  return estate;
}

}  // namespace

Result<os::Fd> Estate::take(const std::string& name) {
  const auto found = held.find(name);
  if (found == held.end()) return fail(ErrorKind::internal, "an estate lacks `" + name + "`");
  os::Fd fd = std::move(found->second);
  held.erase(found);
  return fd;
}

Result<std::string> Estate::fact(const std::string& name) const {
  const auto found = facts.find(name);
  if (found == facts.end()) return fail(ErrorKind::internal, "an estate does not say `" + name + "`");
  return found->second;
}

Result<std::int64_t> Estate::number(const std::string& name) const {
  SW_TRY(const std::string text, fact(name));
  std::int64_t value = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (bad != std::errc() || end != text.data() + text.size()) {
    return fail(ErrorKind::internal, "an estate: `" + name + "` is no number");
  }
  return value;
}

Result<void> bequeath(SandboxDirectory& directory, const std::map<std::string, std::string>& facts,
                      const std::map<std::string, int>& held, Duration orphan_grace, const os::Fd& leash) {
  SW_CHECK(directory.own());
  SW_TRY(const os::Fd listener, net::listen_unix(directory.path(), kListenerName, 0600));
  std::map<std::string, int> all = held;
  all[kLock] = directory.lock();
  std::vector<int> fds = {listener.get()};
  for (const auto& [name, fd] : all) fds.push_back(fd);
  os::MessageSocket init(os::Fd(::fcntl(leash.get(), F_DUPFD_CLOEXEC, 3)));
  return init.send(wire::encode(wire::ToInit(wire::Keep{orphan_grace, encode(facts, all)})), fds,
                   os::within(kSayWithin));
}

Result<Adopted> adopt_from(const std::filesystem::path& parent, const SandboxId& id, const os::CallLimit& limit) {
  const auto adopting = [&](Error error) { return wrap(std::move(error), "adopting sandbox " + id.value); };
  // Its init ends at any moment: with its job, or with its grace.
  const auto ended = [&](const Error& error) {
    return adopting(error.kind == ErrorKind::unavailable ? Error{ErrorKind::not_found, "it has ended"} : error);
  };
  auto directory = SandboxDirectory::adopt(parent, id);
  for (int i = 0; i < kLooks && !directory && directory.error().kind == ErrorKind::conflict; ++i) {
    (void)os::wait_any_readable({}, os::within(kBetweenLooks));
    directory = SandboxDirectory::adopt(parent, id);
  }
  if (!directory) return adopting(directory.error());
  auto leash = net::connect_unix(directory->path(), kListenerName);
  if (!leash) return ended(leash.error());
  os::MessageSocket init(os::Fd(::fcntl(leash->get(), F_DUPFD_CLOEXEC, 3)));
  auto first = init.receive(limit);
  if (!first) return ended(first.error());
  const auto said = wire::decode_to_owner(first->text);
  if (!said) return adopting(said.error());
  const auto* kept = std::get_if<wire::Kept>(&*said);
  if (kept == nullptr)
    return fail(ErrorKind::invalid, "adopting sandbox " + id.value + ": its init says something else");
  auto estate = decode(kept->estate, std::move(first->fds));
  if (!estate) return adopting(estate.error());
  auto lock = estate->take(kLock);
  if (!lock) return adopting(lock.error());
  if (auto taken = directory->take_lock(std::move(*lock)); !taken) return adopting(taken.error());
  return Adopted{std::move(*directory), std::move(*estate), std::move(*leash), kept->note};
}

}  // namespace slipway::sandbox
