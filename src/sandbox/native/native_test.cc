// What holds inside a native sandbox, seen by commands run in it.
#include <arpa/inet.h>
#include <grp.h>
#include <ifaddrs.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "sandbox/native/test_support.h"

namespace slipway::sandbox::native {
namespace {

using namespace std::chrono_literals;

TEST_F(Native, StepSeesAHostOfItsOwn) {
  if (!backend_->capabilities().many_user_ids) GTEST_SKIP() << "a sandbox has one user id here";
  spec_.hostname = "box";
  start();
  EXPECT_EQ(run("id -un; id -u; id -G; hostname; pwd"), "runner\n1001\n1001\nbox\n/\n");
  EXPECT_EQ(run("ls /home /srv /mnt"), "/home:\nrunner\n\n/mnt:\n\n/srv:\n");
  EXPECT_EQ(run("ps -e -o pid= | wc -l | tr -d ' '", "runner"), "5\n");
  EXPECT_EQ(run("ls /proc/1/fd 2>&1 | grep -c denied"), "1\n");
  EXPECT_EQ(run("cat /proc/net/dev | grep -c :"), "1\n");
  EXPECT_EQ(run("touch /job/src/x /tmp/x $HOME/x /job/artifacts/x && echo fine"), "fine\n");
  EXPECT_EQ(run("echo x > /dev/null && head -c 3 /dev/zero | wc -c && test -c /dev/tty && echo y > /dev/shm/y"), "3\n");
  EXPECT_EQ(run("test -x /run/slipway/bin/slipway && test ! -w /run/slipway && echo fine"), "fine\n");
}

TEST_F(Native, RootOfTheSandboxIsNotRootOfTheHost) {
  if (!backend_->capabilities().many_user_ids) GTEST_SKIP() << "a sandbox has one user id here";
  start();
  EXPECT_EQ(run("id -u", "root"), "0\n");
  run("cat /etc/shadow", "root", 1);
  run("cat /etc/shadow", "runner", 1);
  run("mount -t tmpfs none /mnt", "root", 32);
  run("hostname other", "root", 1);
  run("echo 1 > /proc/sys/kernel/sysrq", "root", 2);
  run("mknod /tmp/sda b 8 0", "root", 1);
  run("kill -9 1", "root", 1);
  EXPECT_EQ(run("touch /usr/local/bin/tool /etc/new && echo fine", "root"), "fine\n");
  EXPECT_EQ(run("mkdir /tmp/d && chown 1001:1001 /tmp/d && stat -c %u /tmp/d", "root"), "1001\n");
}

TEST_F(Native, NothingWrittenReachesTheHost) {
  start();
  run("touch /usr/local/bin/slipway-was-here", "root");
  EXPECT_FALSE(std::filesystem::exists("/usr/local/bin/slipway-was-here"));
}

TEST_F(Native, InitIsOutOfItsStepsReach) {
  if (!backend_->capabilities().many_user_ids) GTEST_SKIP() << "a sandbox has one user id here";
  start();
  run("kill -9 1", "runner", 1);
  run("prlimit --pid 1 --fsize=0", "root", 1);
  run("prlimit --pid 1 --fsize=0", "runner", 1);
  run("echo 1000 > /proc/1/oom_score_adj", "root", 2);
  run("taskset -p 1 1", "root", 1);
  EXPECT_EQ(run("cat /proc/1/status | grep Uid", "runner").find("65533"), 5U);
  EXPECT_EQ(run("grep NoNewPrivs /proc/self/status"), "NoNewPrivs:\t1\n");
  EXPECT_EQ(run("grep CapEff /proc/self/status"), "CapEff:\t0000000000000000\n");
}

TEST_F(Native, WorkingTreeAppearsAsTheJobsOwnAndStaysUntouched) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give files to another user";
  const auto tree = place_.path() / "tree";
  std::filesystem::create_directory(tree);
  std::filesystem::create_directory(tree / "sub");
  std::ofstream(tree / "sub" / "file") << "before";
  constexpr uid_t kOwner = 54321;
  for (const auto& path : {tree, tree / "sub", tree / "sub" / "file"})
    ASSERT_EQ(::chown(path.c_str(), kOwner, kOwner), 0);
  ASSERT_EQ(::chmod((tree / "sub" / "file").c_str(), 0600), 0);
  spec_.mounts.push_back({Mount::Kind::overlay, tree, "/job/src", false, kOwner});
  start();
  EXPECT_EQ(run("cd /job/src && stat -c '%U %a' sub/file && cat sub/file && echo after > sub/file && mv sub sub2 && "
                "touch new && cat sub2/file"),
            "runner 600\nbeforeafter\n");
  EXPECT_EQ(os::read_file(tree / "sub" / "file", 100).value_or(""), "before");
  EXPECT_FALSE(std::filesystem::exists(tree / "new"));
}

TEST_F(Native, FilesOfAMountAreShownWithAnotherText) {
  const auto tree = place_.path() / "tree";
  std::filesystem::create_directories(tree / ".git" / "sub");
  std::ofstream(tree / ".git" / "config") << "a secret";
  std::ofstream(tree / ".git" / "other") << "as it is";
  spec_.mounts.push_back({Mount::Kind::overlay, tree, "/job/src", false, ::geteuid(), {{".git/config", "shown"}}});
  spec_.mounts.push_back({Mount::Kind::read_only, tree, "/job/view", true, ::geteuid(), {{".git/config", "viewed"}}});
  start();
  EXPECT_EQ(run("cd /job/src/.git && cat config other && echo >>config && ls -d sub"), "shownas it issub\n");
  EXPECT_EQ(run("cd /job/view/.git && cat config other; touch x 2>&1 | grep -c Read-only"), "viewedas it is1\n");
  EXPECT_EQ(os::read_file(tree / ".git" / "config", 100).value_or(""), "a secret");
}

TEST(NameServers, OnLoopbackInterfacesAreLeftOut) {
  EXPECT_EQ(
      reachable_nameservers(
          "# x\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.1 \nsearch a\nnameserver 169.254.169.254\n"),
      (std::vector<std::string>{"192.0.2.1", "169.254.169.254"}));
}

TEST_F(Native, ReadOnlyMountCannotBeWritten) {
  const auto data = place_.path() / "data";
  std::filesystem::create_directory(data);
  std::ofstream(data / "tool") << "#!/bin/sh\n";
  ::chmod((data / "tool").c_str(), 0755);
  spec_.mounts.push_back({Mount::Kind::read_only, data, "/job/ci/deep", true, {}});
  spec_.mounts.push_back({Mount::Kind::read_only, data / "tool", "/job/one-file", false, {}});
  start();
  EXPECT_EQ(run("touch /job/ci/deep/x 2>&1 | grep -c Read-only; /job/ci/deep/tool; echo $?; /job/one-file && echo ran",
                "root")
                .substr(0, 2),
            "1\n");
  EXPECT_EQ(run("/job/one-file && echo ran"), "ran\n");
  run("/job/ci/deep/tool", "runner", 126);
}

// A sandbox on the private network of another one.
class Service {
 public:
  Service(NativeBackend& backend, const PrivateNetwork& network, std::size_t self) : backend_(backend) {
    spec_.id = SandboxId(new_id());
    spec_.network = model::Network::none;
    spec_.hostname = network.services[self];
    spec_.private_network = network;
    spec_.private_network->self = self;
    auto started = backend_.start(spec_, os::within(10s));
    EXPECT_TRUE(started) << started.error().what;
    if (started) leash_ = std::make_unique<os::MessageSocket>(std::move(started->leash));
  }
  ~Service() { EXPECT_TRUE(backend_.destroy(spec_.id, os::within(10s))); }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  Answer run(const std::string& command) { return leash_ ? ask(*leash_, "runner " + command) : Answer{}; }

 private:
  NativeBackend& backend_;
  SandboxSpec spec_;
  std::unique_ptr<os::MessageSocket> leash_;
};

TEST_F(Native, AJobAndItsServicesReachEachOtherByNameAndServicesNothingElse) {
  if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "no python3 to serve with";
  spec_.private_network = PrivateNetwork{spec_.id, {"db", "web"}, {}};
  start();
  Service db(*backend_, *spec_.private_network, 0), web(*backend_, *spec_.private_network, 1);
  // Both on the same port: each has an address of its own.
  for (Service* service : {&db, &web}) {
    const Answer serving = service->run(
        "python3 -c 'import socket,os; s=socket.create_server((\"0.0.0.0\",7000)); os.fork() and os._exit(0)\n"
        "while 1: c=s.accept()[0]; c.send(os.uname().nodename.encode()+b\"\\n\"); c.close()' >/dev/null 2>&1");
    ASSERT_EQ(serving.code, 0) << serving.output;
  }
  const std::string ask_db = "exec bash -c 'exec 3<>/dev/tcp/db/7000 && head -n 1 <&3'";
  EXPECT_EQ(run(ask_db), "db\n");
  EXPECT_EQ(run("exec bash -c 'exec 3<>/dev/tcp/web/7000 && head -n 1 <&3'"), "web\n");
  EXPECT_EQ(web.run(ask_db).output, "db\n");
  const Answer outside = web.run("exec bash -c 'exec 3<>/dev/tcp/192.0.2.1/80' 2>&1");
  EXPECT_NE(outside.code, 0);
  EXPECT_NE(outside.output.find("unreachable"), std::string::npos) << outside.output;
}

TEST_F(Native, AServiceOfNoJobIsRefused) {
  spec_.private_network = PrivateNetwork{SandboxId("nobody"), {"db"}, 0};
  const auto started = backend_->start(spec_, os::within(10s));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::unavailable);
}

TEST_F(Native, MemoryAndDiskLimitsHold) {
  if (!backend_->capabilities().limits.memory) GTEST_SKIP() << "no memory limit can be held here";
  spec_.limits = {.memory_bytes = 64U << 20U, .cpus = {}, .pids = 32, .disk_bytes = 16U << 20U};
  start();
  run("head -c 1000000000 /dev/zero | tail | wc -c >/dev/null; exit 137", "runner", 137);
  const auto usage = backend_->usage(spec_.id);
  ASSERT_TRUE(usage);
  EXPECT_GT(usage->memory_peak_bytes, 32U << 20U);
  EXPECT_EQ(run("head -c 100000000 /dev/zero > /tmp/a; stat -c %s /tmp/a; head -c 100000 /dev/zero > /job/b; stat -c "
                "%s /job/b")
                    .find("No space") != std::string::npos,
            true);
  // A shell that cannot fork ends with 2: it had 100 processes to make and may have 32.
  run("i=0; while [ $i -lt 100 ]; do sleep 9 >/dev/null 2>&1 & i=$((i+1)); done", "runner", 2);
}

TEST_F(Native, DiskLargerThanMemoryAllowsLiesOnTheHostAndGoesWithTheSandbox) {
  struct statfs host{};
  if (::statfs(place_.path().c_str(), &host) == 0 && host.f_type == TMPFS_MAGIC)
    GTEST_SKIP() << "the host's disk is memory here, which the job's limit counts";
  spec_.limits = {.memory_bytes = 64U << 20U, .cpus = {}, .pids = {}, .disk_bytes = 200U << 20U};
  start();
  EXPECT_EQ(run("head -c 100000000 /dev/zero > /tmp/a && stat -c %s /tmp/a; stat -f -c %T /run /job/secrets"),
            "100000000\ntmpfs\ntmpfs\n");
  EXPECT_EQ(run("touch /usr/local/bin/x && mv /usr/share/doc /usr/share/doc2 2>/dev/null; echo fine", "root"),
            "fine\n");
  if (Pool::is_possible()) {
    run("head -c 300000000 /dev/zero > /job/b", "runner", 1);
    run("test $(du -sk /job /tmp --total | tail -1 | cut -f1) -lt 210000");
  }
  leash_.reset();
  EXPECT_TRUE(backend_->wait(spec_.id, os::within(2s)));
  EXPECT_TRUE(backend_->destroy(spec_.id, os::within(10s)));
  EXPECT_TRUE(std::filesystem::is_empty(place_.path() / "state" / "sandboxes"));
}

TEST_F(Native, SystemCallsThatMakeNamespacesAreRefusedUnlessNested) {
  start();
  run("unshare -U true", "runner", 1);
}

TEST_F(Native, NestedJobMayMakeItsOwnSandboxes) {
  spec_.nested = true;
  start();
  EXPECT_EQ(run("unshare -Urpf --mount-proc id -u"), "0\n");
}

TEST_F(Native, ReadOnlyRootLeavesWorkspaceAndTmpWritable) {
  spec_.read_only_root = true;
  start();
  EXPECT_EQ(run("touch /usr/x /var/x /x /etc/x 2>&1 | grep -c Read-only", "root"), "4\n");
  EXPECT_EQ(run("touch /tmp/x /job/src/x /home/runner/x && echo fine"), "fine\n");
}

TEST_F(Native, ImageDirectoryIsTheRootAndItsFilesBelongToTheSandbox) {
  if (!backend_->capabilities().many_user_ids) GTEST_SKIP() << "a sandbox has one user id here";
  const auto image = place_.path() / "image";
  for (const char* name : {"bin", "etc", "usr"}) std::filesystem::create_directories(image / name);
  if (!std::filesystem::exists("/bin/busybox")) GTEST_SKIP() << "no static busybox here";
  std::filesystem::copy("/bin/busybox", image / "bin" / "busybox");
  std::filesystem::create_symlink("busybox", image / "bin" / "sh");
  std::filesystem::create_symlink("/etc", image / "job");  // a link where the workspace belongs stays inside
  std::ofstream(image / "etc" / "passwd") << "root:x:0:0:root:/root:/bin/sh\n";
  spec_.image = image;
  spec_.workspace = "/w";
  start();
  EXPECT_EQ(run("busybox stat -c %u /bin/busybox; busybox cat /etc/passwd", "root"),
            "0\nrunner:x:1001:1001:Slipway runner:/home/runner:/bin/sh\n"
            "source:x:1002:1002:Slipway source:/nonexistent:/usr/sbin/nologin\nroot:x:0:0:root:/root:/bin/sh\n");
  EXPECT_EQ(run("busybox touch /etc/x && echo fine", "root"), "fine\n");
  EXPECT_FALSE(std::filesystem::exists(image / "etc" / "x"));
}

TEST_F(Native, WorkspaceThatIsALinkOfTheImageStaysInTheImage) {
  const auto image = place_.path() / "image";
  for (const char* name : {"bin", "etc"}) std::filesystem::create_directories(image / name);
  if (!std::filesystem::exists("/bin/busybox")) GTEST_SKIP() << "no static busybox here";
  std::filesystem::copy("/bin/busybox", image / "bin" / "sh");
  const auto outside = place_.path() / "outside";
  std::filesystem::create_directory(outside);
  std::filesystem::create_symlink(outside, image / "job");
  spec_.image = image;
  auto started = backend_->start(spec_, os::within(10s));
  EXPECT_TRUE(std::filesystem::is_empty(outside));
}

std::vector<std::string> host_addresses() {
  std::vector<std::string> found;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return found;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    char text[INET_ADDRSTRLEN];
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, text, sizeof text);
    if (std::string_view(text) != "127.0.0.1") found.emplace_back(text);
  }
  ::freeifaddrs(all);
  return found;
}

// A socket that listens on every address of this machine; its port is the answer.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any);
    ::listen(socket_.get(), 4);
    socklen_t size = sizeof any;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&any), &size);
    port_ = ntohs(any.sin_port);
  }
  int port() const { return port_; }

 private:
  os::Fd socket_;
  int port_ = 0;
};

TEST_F(Native, NatReachesNeitherTheHostNorMetadataNorOtherSandboxes) {
  if (!Nat::is_possible()) GTEST_SKIP() << "no nftables here";
  if (!std::filesystem::exists("/bin/bash")) GTEST_SKIP() << "no bash to open connections with";
  spec_.network = model::Network::nat;
  start();
  SandboxSpec other_spec = spec_;
  other_spec.id = SandboxId(new_id());
  auto other = backend_->start(other_spec, os::within(10s));
  ASSERT_TRUE(other) << other.error().what;
  const Listener listener;
  EXPECT_EQ(run("grep -c eth0 /proc/net/dev; grep -c 00000000 /proc/net/route >/dev/null && echo route"), "1\nroute\n");
  const auto reach = [&](const std::string& address, int port) {
    return run("timeout 0.5 bash -c 'exec 3<>/dev/tcp/" + address + "/" + std::to_string(port) +
               "' 2>/dev/null && echo open || echo shut");
  };
  for (const std::string& address : host_addresses()) EXPECT_EQ(reach(address, listener.port()), "shut\n") << address;
  EXPECT_EQ(reach("198.18.0.1", listener.port()), "shut\n");
  EXPECT_EQ(reach("169.254.169.254", 80), "shut\n");
  EXPECT_TRUE(backend_->destroy(other_spec.id, os::within(10s)));
}

TEST_F(Native, LowPortsAreFreeInside) {
  if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "no python3 to listen with";
  start();
  EXPECT_EQ(run("python3 -c 'import socket; s = socket.socket(); s.bind((\"\", 80)); print(\"bound\")'"), "bound\n");
}

TEST_F(Native, CallerWithoutRootAndWithoutRangeGetsASandboxOfOneId) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody in particular";
  constexpr uid_t kSomebody = 54'399;
  const auto program = place_.path() / "init";
  std::filesystem::copy(SLIPWAY_SHELL_INIT, program);
  const auto home = place_.path() / "rootless";
  std::filesystem::create_directory(home);
  ASSERT_EQ(::chown(home.c_str(), kSomebody, kSomebody), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(kSomebody, kSomebody, kSomebody) != 0 ||
        ::setresuid(kSomebody, kSomebody, kSomebody) != 0) {
      ::_exit(10);
    }
    auto mine = NativeBackend::open({home / "state", home / "run", program}, log_);
    if (!mine) ::_exit(11);
    auto started = (*mine)->start(spec_, os::within(10s));
    if (!started) ::_exit(started.error().what.find("user namespace") == std::string::npos ? 12 : 77);
    os::MessageSocket leash(std::move(started->leash));
    const Answer seen = ask(leash, "runner id -un; cat /etc/shadow 2>/dev/null; touch /job/src/x /tmp/x && echo fine");
    if (seen.output != "runner\nfine\n") ::_exit(13);
    if (!(*mine)->destroy(spec_.id, os::within(10s))) ::_exit(14);
    ::_exit(std::filesystem::is_empty(home / "state" / "sandboxes") ? 0 : 15);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this kernel gives no user namespaces to users";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Native, AnImageDirectoryInOrAboveTheStateDirectoryIsRefused) {
  const auto link = place_.path() / "link";
  std::filesystem::create_directory_symlink(place_.path() / "state", link);
  for (const auto& image : {place_.path(), place_.path() / "state", place_.path() / "state" / "sandboxes", link}) {
    spec_.image = image.string();
    const auto started = backend_->start(spec_, os::within(10s));
    ASSERT_FALSE(started) << image;
    EXPECT_EQ(started.error().kind, ErrorKind::denied);
    EXPECT_NE(started.error().what.find("its own files"), std::string::npos) << started.error().what;
  }
}

}  // namespace
}  // namespace slipway::sandbox::native
