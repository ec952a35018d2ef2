#include "cli/journal_files.h"

#include <fcntl.h>

#include "os/files.h"

namespace slipway::cli {

Result<std::unique_ptr<journal::Source>> open_journal(const std::filesystem::path& path) {
  SW_TRY(os::Fd file, os::open_file(path, O_RDONLY));
  return journal::plain_source(std::move(file));
}

}  // namespace slipway::cli
