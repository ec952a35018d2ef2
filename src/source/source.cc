#include "source/source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "source/working_tree.h"

namespace slipway::source {

Result<Source*> Sources::find(std::string_view kind) {
  std::vector<std::string> kinds;
  for (const auto& source : sources_) {
    if (source->kind() == kind) return source.get();
    kinds.emplace_back(source->kind());
  }
  return fail(ErrorKind::invalid,
              "no kind of source `" + printable(kind, Colour::strip) + "`: there are " + join(kinds, ", "));
}

Result<SourceSpec> Sources::pin(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_TRY(Source* const source, find(spec.kind));
  return source->pin(spec, limit);
}

Result<Prepared> Sources::prepare(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_TRY(Source* const source, find(spec.kind));
  return source->prepare(spec, limit);
}

Result<SourceSpec> DirectorySource::pin(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_TRY(const WorkingTree tree, read_working_tree(spec.location, limit));
  SourceSpec pinned = spec;
  pinned.branch = tree.branch;
  return pinned;
}

Result<Prepared> DirectorySource::prepare(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_TRY(WorkingTree tree, read_working_tree(spec.location, limit));
  std::error_code error;
  Prepared prepared;
  // The directory that was asked for, be it a part of a checkout.
  prepared.directory = std::filesystem::canonical(spec.location, error);
  struct stat status{};
  if (error || ::stat(prepared.directory.c_str(), &status) != 0)
    return fail_errno(errno, "looking at " + spec.location);
  prepared.owner = status.st_uid;
  prepared.sha = std::move(tree.sha);
  prepared.branch = std::move(tree.branch);
  prepared.url = std::move(tree.remote_url);
  prepared.git_dir = std::move(tree.git_dir);
  return prepared;
}

}  // namespace slipway::source
