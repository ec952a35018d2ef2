#include "os/confine.h"

#include <sys/mman.h>

#include <cerrno>

#include "os/confine_spec.h"
#include "os/files.h"

namespace slipway::os {

Result<ConfinedProcess> start_confined(const std::filesystem::path& program, const Confinement& confinement,
                                       const Subprocess::Options& options) {
  const Fd spec(::memfd_create("slipway-confine", MFD_CLOEXEC));
  if (!spec) return fail_errno(errno, "memfd_create");
  SW_CHECK(write_all(spec.get(), encode_confinement(confinement, options.working_dir)));
  if (::lseek(spec.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "lseek");
  SW_TRY(Pipe pipe, make_pipe());
  Subprocess::Options helper = options;
  helper.argv = {program.string(), "confine", "--"};
  helper.argv.insert(helper.argv.end(), options.argv.begin(), options.argv.end());
  helper.working_dir = "/";
  helper.fds = {{spec.get(), kConfineSpec}, {pipe.read.get(), kConfineLifeline}};
  auto process = Subprocess::start(helper);
  if (!process) return fail(ErrorKind::unavailable, process.error().what);
  return ConfinedProcess{std::move(pipe.write), std::move(*process)};
}

}  // namespace slipway::os
