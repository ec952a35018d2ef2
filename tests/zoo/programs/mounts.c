// Everything that changes what is mounted where, or gets out of the root.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "try.h"

int main(void) {
  mkdir("/tmp/m", 0755);
  REFUSED("mount tmpfs", mount("none", "/tmp/m", "tmpfs", 0, NULL));
  REFUSED("mount proc", mount("none", "/tmp/m", "proc", 0, NULL));
  REFUSED("bind", mount("/", "/tmp/m", NULL, MS_BIND, NULL));
  REFUSED("remount writable", mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
  REFUSED("umount /proc", umount2("/proc", MNT_DETACH));
  REFUSED("umount /job/src", umount2("/job/src", MNT_DETACH));
  REFUSED("umount /usr", umount2("/usr", MNT_DETACH));
  REFUSED("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp/m"));
  REFUSED("open_tree", syscall(SYS_open_tree, -100, "/", 1));
  REFUSED("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  REFUSED("mknod sda", mknod("/tmp/disk", S_IFBLK | 0600, makedev(8, 0)));
  REFUSED("mknod mem", mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)));
  REFUSED("open_by_handle_at", ({
            struct file_handle handle = {.handle_bytes = 0};
            open_by_handle_at(AT_FDCWD, &handle, O_RDONLY);
          }));
  return verdict();
}
