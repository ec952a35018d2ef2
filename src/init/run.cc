#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "init/entry.h"
#include "init/job.h"
#include "init/sibling.h"

namespace slipway::init {

namespace {

/// Steps must neither look into this process nor find its memory in a file.
void protect(Entry::SelfFiles self_files) {
  ::prctl(PR_SET_DUMPABLE, self_files == Entry::SelfFiles::of_own_id ? 1 : 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(022);
}

}  // namespace

int run(Entry entry) {
  protect(entry.self_files);
  Poller poller;
  OwnerLink owner(poller, std::move(entry.leash));
  auto received = owner.receive_orders();
  if (!received) return 1;  // the owner changed its mind, or broke the protocol: there is no journal to say so in
  if (received->orders.sibling) return run_sibling(std::move(entry), poller, owner, std::move(*received));
  return Job(std::move(entry), poller, owner, std::move(*received)).run();
}

}  // namespace slipway::init
