#pragma once

#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "model/job_spec.h"
#include "os/fd.h"

namespace slipway::worker {

/// The two files that `slipway-init` writes for an attempt. The owner opens them and passes the descriptors. The
/// journal is locked (flock) as long as anyone may write it.
struct JournalFiles {
  std::filesystem::path journal;
  os::Fd journal_fd;
  os::Fd tail_fd;  ///< the ring of each step's last bytes; its file is removed when the attempt has ended
};

std::filesystem::path journal_path(const std::filesystem::path& runs_dir, const model::JobSpec& job);

/// Creates runs_dir/RUN/ATTEMPT.journal and its ring. `exhausted` when the disk is full.
Result<JournalFiles> create_journal_files(const std::filesystem::path& runs_dir, const model::JobSpec& job);

/// What the journal says of how the attempt ended. `not_found`: it has no end, so init died before it wrote one.
Result<model::AttemptReport> report_from_journal(const std::filesystem::path& journal, const model::JobSpec& job);

enum class JournalEnd { is_there, unknown };

/// Gives a journal without an end the one in `report` (once nobody writes it any more, for which it waits), removes the
/// ring, and seals what is large enough to be worth it. May be repeated. Failures are logged: the attempt has ended all
/// the same.
void close_journal(const std::filesystem::path& runs_dir, const model::JobSpec& job, const model::AttemptReport& report,
                   JournalEnd end, Log& log);

/// Does that to the journals of the services of `job`, whose owner is dead: as of now, they were cancelled.
void close_service_journals(const std::filesystem::path& runs_dir, const model::JobSpec& job, Log& log);

}  // namespace slipway::worker
