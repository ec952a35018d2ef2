#include "worker/caches.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/ids.h"
#include "base/json.h"
#include "base/text.h"
#include "os/bundle.h"
#include "os/file_lock.h"
#include "os/files.h"
#include "worker/fields.h"

namespace slipway::worker {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxIndexBytes = 64U << 20U;

timespec timespec_of(Time time) {
  const std::int64_t micros = to_micros(time);
  return {micros / 1'000'000, micros % 1'000'000 * 1000};
}

void mark_used(int fd, Time now) {
  const timespec times[2] = {{0, UTIME_OMIT}, timespec_of(now)};
  (void)::futimens(fd, times);  // the worst is that it is evicted too early
}

}  // namespace

CacheScopes scopes_of(const CacheOwner& owner) {
  const auto scope = [&](std::string_view what, const std::string& name) {
    return fmt::format("{}#{}:{}", owner.project, what, name);
  };
  CacheScopes scopes;
  scopes.trusted = owner.trusted && owner.event != model::EventKind::pull_request;
  if (owner.event == model::EventKind::pull_request) {
    scopes.write = scope("pull-request", owner.pull_request.empty() ? owner.branch : owner.pull_request);
  } else if (!owner.trusted) {
    scopes.write = scope("untrusted", owner.branch);
  } else if (owner.event == model::EventKind::tag) {
    scopes.write = scope("tag", owner.branch);
  } else {
    scopes.write = scope("branch", owner.branch);
  }
  scopes.read.push_back(scopes.write);
  std::string shared = scope("branch", owner.default_branch);
  if (shared != scopes.write) scopes.read.push_back(std::move(shared));
  return scopes;
}

struct Caches::Index {
  struct Item {
    std::string id;  ///< of its file
    CacheEntry entry;
  };
  std::vector<Item> items;
};

namespace {

fs::path bundle_of(const fs::path& root, const std::string& id) { return root / "data" / (id + ".bundle"); }

template <class Items>
std::uint64_t bytes_of(const Items& items) {
  std::uint64_t bytes = 0;
  for (const auto& item : items) bytes += item.entry.bytes;
  return bytes;
}

// Files that the index does not name: what was replaced or evicted, and what a crash left. Under the lock only.
template <class Items>
void remove_unnamed(const fs::path& root, const Items& items) {
  std::set<std::string> named;
  for (const auto& item : items) named.insert(item.id + ".bundle");
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir((root / "data").c_str()), ::closedir);
  if (dir == nullptr) return;
  while (const dirent* file = ::readdir(dir.get())) {
    if (file->d_name[0] != '.' && !named.contains(file->d_name)) ::unlinkat(::dirfd(dir.get()), file->d_name, 0);
  }
}

}  // namespace

Result<Caches> Caches::open_at(const fs::path& root, std::uint64_t limit_bytes) {
  SW_CHECK(os::make_directories(root, 0700));
  SW_CHECK(os::make_directories(root / "data", 0700));
  SW_CHECK(os::make_directories(root / "staging", 0700));
  return Caches(root, limit_bytes);
}

// An index that is missing or damaged is an empty one: caches may be lost, jobs may not fail for it.
Result<Caches::Index> Caches::load() const {
  auto text = os::read_file(root_ / "index.json", kMaxIndexBytes);
  Index index;
  if (!text && text.error().kind == ErrorKind::not_found) return index;
  if (!text) return std::unexpected(text.error());
  const auto object = parse_object(*text, "the index of caches");
  const auto* list = object ? object->if_contains("caches") : nullptr;
  if (list == nullptr || !list->is_array()) return index;
  for (const auto& value : list->get_array()) {
    if (!value.is_object()) continue;
    Fields fields(value.get_object());
    Index::Item item;
    item.id = fields.text("id");
    item.entry.scope = fields.text("scope");
    item.entry.key = fields.text("key");
    item.entry.bytes = fields.number("bytes");
    item.entry.created = fields.time("created");
    item.entry.untrusted = fields.flag("untrusted");
    struct stat status{};
    const bool plain = item.id.find_first_of("/.") == std::string::npos;
    if (!fields.complete() || !plain || ::stat(bundle_of(root_, item.id).c_str(), &status) != 0) continue;
    item.entry.last_used = from_micros(status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000);
    index.items.push_back(std::move(item));
  }
  return index;
}

Result<void> Caches::store(const Index& index) const {
  boost::json::array list;
  for (const Index::Item& item : index.items) {
    list.push_back(boost::json::object{{"id", item.id},
                                       {"scope", item.entry.scope},
                                       {"key", item.entry.key},
                                       {"bytes", static_cast<std::int64_t>(item.entry.bytes)},
                                       {"created", to_micros(item.entry.created)},
                                       {"untrusted", item.entry.untrusted}});
  }
  const std::string text = boost::json::serialize(boost::json::object{{"version", 1}, {"caches", std::move(list)}});
  return os::replace_file(root_ / "index.json", text, 0600);
}

Result<std::optional<CacheHit>> Caches::find(const CacheScopes& scopes, const std::string& key,
                                             const std::vector<std::string>& restore, Time now,
                                             const os::CallLimit& limit) {
  // The lock is not for the index, which is replaced whole, but so that its files stay while we choose and open one.
  SW_TRY(const auto lock, os::FileLock::acquire(root_ / "lock", os::LockMode::shared, limit));
  SW_TRY(const Index index, load());
  const auto newest = [&](const std::string& scope, auto&& matches) {
    const Index::Item* best = nullptr;
    for (const Index::Item& item : index.items) {
      if (item.entry.scope != scope || !matches(item.entry.key)) continue;
      if (best == nullptr || item.entry.created > best->entry.created) best = &item;
    }
    return best;
  };
  const auto search = [&](auto&& matches) -> const Index::Item* {
    for (const std::string& scope : scopes.read) {
      if (const auto* item = newest(scope, matches); item != nullptr) return item;
    }
    return nullptr;
  };
  const Index::Item* found = search([&](const std::string& candidate) { return candidate == key; });
  for (auto prefix = restore.begin(); found == nullptr && prefix != restore.end(); ++prefix) {
    found = search([&](const std::string& candidate) { return candidate.starts_with(*prefix); });
  }
  if (found == nullptr) return std::optional<CacheHit>();
  SW_TRY(os::Fd bundle, os::open_file(bundle_of(root_, found->id), O_RDONLY));
  mark_used(bundle.get(), now);
  CacheHit hit{found->entry, found->entry.key == key, std::move(bundle)};
  hit.entry.last_used = now;
  return std::optional<CacheHit>(std::move(hit));
}

Result<bool> Caches::has(const CacheScopes& scopes, const std::string& key, const os::CallLimit& limit) {
  SW_TRY(const auto lock, os::FileLock::acquire(root_ / "lock", os::LockMode::shared, limit));
  SW_TRY(const Index index, load());
  return std::ranges::any_of(
      index.items, [&](const Index::Item& item) { return item.entry.scope == scopes.write && item.entry.key == key; });
}

Result<objects::StagedFile> Caches::begin() { return objects::StagedFile::create(root_ / "staging", limit_bytes_); }

Result<Caches::Saved> Caches::save(const CacheScopes& scopes, const std::string& key, bool untrusted,
                                   objects::StagedFile bundle, Time now, const os::CallLimit& limit) {
  if (key.empty() || key.size() > kMaxKey) {
    return fail(ErrorKind::invalid, fmt::format("a cache's key has 1 to {} bytes", kMaxKey));
  }
  if (untrusted && scopes.trusted) {
    return fail(ErrorKind::denied, "untrusted source could write this cache, and trusted runs would read it");
  }
  SW_TRY(const os::Fd content, bundle.close(objects::StagedFile::Sync::always, limit));
  struct stat status{};
  if (::fstat(content.get(), &status) != 0) return fail_errno(errno, "fstat");
  if (auto entries = os::list_bundle(content.get(), {}); !entries) return wrap(entries.error(), "cache " + key);
  mark_used(content.get(), now);

  // --- From here on nobody else changes the index. ---
  SW_TRY(const auto lock, os::FileLock::acquire(root_ / "lock", os::LockMode::exclusive, limit));
  SW_TRY(Index index, load());
  Saved saved;
  saved.entry = {scopes.write, key, static_cast<std::uint64_t>(status.st_size), now, now, untrusted};
  std::erase_if(index.items,
                [&](const Index::Item& item) { return item.entry.scope == scopes.write && item.entry.key == key; });
  std::ranges::sort(index.items, std::greater(), [](const Index::Item& item) { return item.entry.last_used; });
  std::uint64_t bytes = bytes_of(index.items);
  while (!index.items.empty() && (bytes + saved.entry.bytes > limit_bytes_ || index.items.size() >= kMaxEntries)) {
    bytes -= index.items.back().entry.bytes;
    saved.evicted.push_back(std::move(index.items.back().entry));
    index.items.pop_back();
  }
  Index::Item item{new_id(), saved.entry};
  SW_CHECK(bundle.publish(bundle_of(root_, item.id)));
  index.items.push_back(std::move(item));
  SW_CHECK(store(index));
  remove_unnamed(root_, index.items);
  SW_CHECK(objects::StagedFile::sweep(root_ / "staging"));
  return saved;
}

Result<std::vector<CacheEntry>> Caches::list(const os::CallLimit& limit) {
  SW_TRY(const auto lock, os::FileLock::acquire(root_ / "lock", os::LockMode::shared, limit));
  SW_TRY(Index index, load());
  std::vector<CacheEntry> entries;
  for (Index::Item& item : index.items) entries.push_back(std::move(item.entry));
  std::ranges::sort(entries, std::greater(), &CacheEntry::last_used);
  return entries;
}

}  // namespace slipway::worker
