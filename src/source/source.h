#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/definition.h"
#include "os/call_limit.h"
#include "os/file_lock.h"
#include "os/guarded.h"

namespace slipway::source {

/// Which code a job runs on.
struct SourceSpec {
  std::string kind = "directory";  ///< names a Source: `directory`, `git`, ...; empty: by the location's form
  std::string location;            ///< a path, or a URL; may hold credentials, which go into no message or argv
  std::string revision;            ///< branch, tag, commit or other name; empty: the location's own choice
  model::Checkout checkout;
  std::string branch;  ///< of a pinned spec: the branch that the revision was the head of
  /// Of an untrusted one, what the code itself names (submodules, where large files are) is fetched without any login.
  model::Trust trust = model::Trust::trusted;
};

/// Code in a directory, for the sandbox to lay an overlay on. Nobody writes to it.
struct Prepared {
  std::filesystem::path directory;
  std::uint32_t owner = 0;        ///< the user whose files they are
  std::string sha;                ///< empty where there is no such thing
  std::string branch;             ///< empty: not on one
  std::string url;                ///< without credentials
  std::filesystem::path git_dir;  ///< where its history is to be read (`git_info`, `changed_between`); may be empty
  std::optional<os::FileLock> in_use;  ///< keeps it from being cleared away
};

/// One way to get code. Kinds: directory_source.h, git_source.h.
///
/// Contract: any thread; `prepare` of one pinned spec gives the same content, however often and from however many
/// processes it is called; nothing of the location is run (hooks, filters); errors hold no credentials.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::string_view kind() const = 0;
  /// Is this location, by its form alone, one of this kind? For specs without a kind.
  virtual bool takes(const std::string&) const { return false; }
  /// Looks the revision up, so that all jobs of a run have the same code: a spec whose revision is exact.
  /// Errors: `not_found` with the nearest names, `denied`, `unavailable`.
  virtual Result<SourceSpec> pin(const SourceSpec& spec, const os::CallLimit& limit) = 0;
  virtual Result<Prepared> prepare(const SourceSpec& spec, const os::CallLimit& limit) = 0;
};

/// The kinds that main/ knows, by name. Where a spec names none: `KIND+LOCATION` (`hg+https://...`) says it; else the
/// first added that takes the location; else git for what has a scheme or a colon, and a directory for the rest.
class Sources {
 public:
  void add(std::unique_ptr<Source> source) { sources_.push_back(std::move(source)); }
  /// Asked for a kind that nobody added: a program of that name, say. Null: there is none.
  using Find = std::function<std::unique_ptr<Source>(const std::string& kind)>;
  void find_others_by(Find find) { find_ = std::move(find); }
  /// With a kind, and a location without its `KIND+`. `pin` and `prepare` do it themselves.
  SourceSpec with_kind(SourceSpec spec);
  /// `invalid`, with the kinds there are, for one that nobody added.
  Result<SourceSpec> pin(const SourceSpec& spec, const os::CallLimit& limit);
  Result<Prepared> prepare(const SourceSpec& spec, const os::CallLimit& limit);

 private:
  Result<Source*> find(std::string_view kind);
  Source* look_up(std::string_view kind);
  std::vector<std::unique_ptr<Source>> sources_;
  Find find_;
  os::Guarded<std::map<std::string, std::unique_ptr<Source>, std::less<>>> found_;
};

/// A directory as it is: the user's working tree, or any other. `revision` has no meaning.
class DirectorySource final : public Source {
 public:
  std::string_view kind() const override { return "directory"; }
  Result<SourceSpec> pin(const SourceSpec& spec, const os::CallLimit& limit) override;
  Result<Prepared> prepare(const SourceSpec& spec, const os::CallLimit& limit) override;
};

}  // namespace slipway::source
