#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "model/definition.h"
#include "objects/staged_file.h"
#include "os/call_limit.h"
#include "os/fd.h"

namespace slipway::worker {

/// Whose caches a run sees: it writes `write` only, and reads `read` in order.
struct CacheScopes {
  std::string write;
  std::vector<std::string> read;
  bool trusted = false;  ///< the scope written is one that trusted runs read
};

struct CacheOwner {
  std::string project;  ///< what tells projects apart: the remote's URL, else the checkout's path
  model::EventKind event = model::EventKind::push;
  std::string branch, default_branch;
  std::string pull_request;  ///< its number; else its branch serves
  bool trusted = true;
};

/// A pull request, and whatever is not trusted, has a scope of its own and reads the default branch's behind it.
/// A trusted run writes its branch's scope and reads that, then the default branch's.
CacheScopes scopes_of(const CacheOwner& owner);

struct CacheEntry {
  std::string scope, key;
  std::uint64_t bytes = 0;
  Time created{}, last_used{};
  bool untrusted = false;  ///< untrusted source could write it
};

/// A cache that was found: its bundle, and whether the key matched in full.
struct CacheHit {
  CacheEntry entry;
  bool exact = false;
  os::Fd bundle;  ///< stays good when the cache is evicted meanwhile
};

/// Caches of jobs, least recently used out first.
///
/// `ROOT/data/ID.bundle`, and an index, `ROOT/index.json`, replaced whole under `ROOT/lock`: what the index names was
/// on disk before, so a cache is there whole or not at all, whatever dies in between. The time of last use is the
/// bundle's mtime, so finding one writes no index. Any thread; several processes.
class Caches {
 public:
  static constexpr std::size_t kMaxEntries = 10'000, kMaxKey = 512;

  static Result<Caches> open_at(const std::filesystem::path& root, std::uint64_t limit_bytes);

  /// The exact key in each scope in turn; else each prefix in turn, in each scope in turn, the newest that begins so.
  /// No value: none. Marks it used at `now`.
  Result<std::optional<CacheHit>> find(const CacheScopes& scopes, const std::string& key,
                                       const std::vector<std::string>& restore, Time now, const os::CallLimit& limit);

  /// Is there a cache of exactly this key in the scope written? Saving it again would be a waste.
  Result<bool> has(const CacheScopes& scopes, const std::string& key, const os::CallLimit& limit);

  /// Where the sandbox writes the bundle. Dropped, nothing remains.
  Result<objects::StagedFile> begin();

  /// What had to go to make room, for the caller to tell.
  struct Saved {
    CacheEntry entry;
    std::vector<CacheEntry> evicted;
  };
  /// Replaces the scope's cache of that key. `untrusted` into a trusted scope is `denied`; a bundle that is broken is
  /// `invalid`, one larger than the limit `exhausted`.
  Result<Saved> save(const CacheScopes& scopes, const std::string& key, bool untrusted, objects::StagedFile bundle,
                     Time now, const os::CallLimit& limit);

  Result<std::vector<CacheEntry>> list(const os::CallLimit& limit);  ///< last used first

 private:
  struct Index;
  Caches(std::filesystem::path root, std::uint64_t limit_bytes) : root_(std::move(root)), limit_bytes_(limit_bytes) {}
  Result<Index> load() const;
  Result<void> store(const Index& index) const;

  std::filesystem::path root_;
  std::uint64_t limit_bytes_;
};

}  // namespace slipway::worker
