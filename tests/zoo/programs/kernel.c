// Calls and files by which a process reaches the kernel or the machine as a whole.
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "try.h"

static int write_to(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY);
  return fd < 0 ? -1 : (int)write(fd, text, strlen(text));
}

// An empty file counts as refused.
static int read_of(const char* path, char* byte) {
  const int fd = open(path, O_RDONLY);
  return fd >= 0 && read(fd, byte, 1) == 1 ? 0 : -1;
}

int main(void) {
  union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  REFUSED("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr));
  struct perf_event_attr perf = {.type = PERF_TYPE_SOFTWARE, .size = sizeof perf};
  REFUSED("perf_event_open", syscall(SYS_perf_event_open, &perf, -1, 0, -1, 0));
  char params[256] = {0};
  REFUSED("io_uring_setup", syscall(SYS_io_uring_setup, 4, params));
  REFUSED("userfaultfd", syscall(SYS_userfaultfd, 0));
  REFUSED("init_module", syscall(SYS_init_module, params, 1, ""));
  REFUSED("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
  REFUSED("reboot", reboot(RB_DISABLE_CAD));
  REFUSED("swapon", syscall(SYS_swapon, "/tmp/x", 0));
  REFUSED("settimeofday", settimeofday(&(struct timeval){1, 0}, NULL));
  REFUSED("sethostname", sethostname("owned", 5));
  char log[16];
  REFUSED("kernel log", klogctl(3, log, sizeof log));
  REFUSED("/proc/sysrq-trigger", write_to("/proc/sysrq-trigger", "h"));
  REFUSED("/proc/sys/kernel/core_pattern", write_to("/proc/sys/kernel/core_pattern", "|/tmp/x"));
  REFUSED("/proc/sys/vm/drop_caches", write_to("/proc/sys/vm/drop_caches", "1"));
  REFUSED("/sys/kernel", write_to("/sys/kernel/mm/ksm/run", "1"));
  REFUSED("/proc/kcore", open("/proc/kcore", O_RDONLY));
  REFUSED("/dev/mem", open("/dev/mem", O_RDONLY));
  REFUSED("/dev/kmsg", open("/dev/kmsg", O_RDONLY));
  REFUSED("/dev/tty", open("/dev/tty", O_RDWR));
  REFUSED("raw socket", socket(AF_INET, SOCK_RAW, 1));
  REFUSED("netlink audit", socket(AF_NETLINK, SOCK_RAW, 9));
  REFUSED("netlink netfilter", socket(AF_NETLINK, SOCK_RAW, 12));
  REFUSED("modify_ldt", syscall(SYS_modify_ldt, 0, params, sizeof params));
  char byte = 0;
  REFUSED("/proc/config.gz", read_of("/proc/config.gz", &byte));
  REFUSED("/proc/diskstats", read_of("/proc/diskstats", &byte));
  REFUSED("/proc/partitions", read_of("/proc/partitions", &byte));
  REFUSED("vsock", socket(40, SOCK_STREAM, 0));
  REFUSED("/etc/shadow", open("/etc/shadow", O_RDONLY));
  REFUSED("/etc/gshadow", open("/etc/gshadow", O_RDONLY));
  REFUSED("/etc/ssh/ssh_host_ed25519_key", open("/etc/ssh/ssh_host_ed25519_key", O_RDONLY));
  REFUSED("setuid 65533", setuid(65533));
  return verdict();
}
