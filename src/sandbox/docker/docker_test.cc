// What is asked of a Docker daemon, and what its answers mean: no daemon is needed.
#include <boost/json.hpp>

#include <fmt/format.h>

#include <gtest/gtest.h>

#include "sandbox/docker/container.h"
#include "sandbox/docker/engine.h"
#include "sandbox/docker/image_files.h"
#include "sandbox/docker/images.h"
#include "sandbox/docker/setup.h"

namespace slipway::sandbox::docker {
namespace {

namespace json = boost::json;

TEST(DockerHost, IsAUnixSocketOrRefusedWithTheReason) {
  EXPECT_EQ(daemon_socket("").value(), "/var/run/docker.sock");
  EXPECT_EQ(daemon_socket("unix:///tmp/d.sock").value(), "/tmp/d.sock");
  const auto tcp = daemon_socket("tcp://user:word@10.0.0.1:2375");
  ASSERT_FALSE(tcp);
  EXPECT_NE(tcp.error().what.find("shares no file system"), std::string::npos) << tcp.error().what;
  EXPECT_EQ(tcp.error().what.find("word@"), std::string::npos) << "an address may hold a password";
  EXPECT_EQ(daemon_socket("unix://").error().what, "DOCKER_HOST=unix://: the socket's path is missing");
  EXPECT_EQ(daemon_socket("/tmp/d.sock").error().what,
            "DOCKER_HOST=/tmp/d.sock needs `unix://` before the path: unix:///tmp/d.sock");
  EXPECT_EQ(daemon_socket("user:word@10.0.0.1").error().what,
            "DOCKER_HOST has no `://` in it: a socket is named unix:///path/of/docker.sock");
}

TEST(DockerVersion, IsTheOldestThatBothKnow) {
  EXPECT_EQ(choose_version(R"({"ApiVersion":"1.41","MinAPIVersion":"1.12"})").value(), "1.41");
  EXPECT_EQ(choose_version(R"({"ApiVersion":"1.52","MinAPIVersion":"1.44"})").value(), "1.44");
  EXPECT_EQ(choose_version(R"({"ApiVersion":"1.47"})").value(), "1.41");
  const auto old = choose_version(R"({"ApiVersion":"1.40","MinAPIVersion":"1.12"})");
  ASSERT_FALSE(old);
  EXPECT_NE(old.error().what.find("1.41 (Docker 20.10) or newer is needed"), std::string::npos) << old.error().what;
  for (const char* broken :
       {"", "[]", "{}", R"({"ApiVersion":7})", R"({"ApiVersion":"2.0"})", R"({"ApiVersion":"1.x"})"})
    EXPECT_FALSE(choose_version(broken)) << broken;
}

TEST(DockerImage, IsPinnedByTheDigestThatItsOwnRegistryKnowsItBy) {
  const std::string one = "sha256:" + std::string(64, '1'), two = "sha256:" + std::string(64, '2');
  const std::string answer = fmt::format(
      R"({{"Id":"sha256:id","RepoDigests":["ghcr.io/other/tool@{0}","broken@sha256:7","debian@{0}","debian@{1}"],
          "Config":{{"Cmd":["sh"],"Entrypoint":null,"Env":["A=b=c"],"User":"app"}}}})",
      one, two);
  const auto pinned = [&](const std::string& image) {
    const auto facts = read_image(answer, rootfs::parse_reference(image).value());
    return facts ? facts->image : facts.error().what;
  };
  EXPECT_EQ(pinned("debian:12"), "docker.io/library/debian@" + one);
  EXPECT_EQ(pinned("debian@" + two), "docker.io/library/debian@" + two);
  EXPECT_EQ(pinned("made/here"), "sha256:id") << "no registry knows it by that name";
  EXPECT_EQ(pinned("docker-daemon:debian:12"), "sha256:id");
  EXPECT_EQ(pinned(one), "sha256:id");
  const auto facts = read_image(answer, rootfs::parse_reference("debian").value());
  EXPECT_EQ(facts->entrypoint, std::vector<std::string>{"sh"});
  EXPECT_EQ(facts->env.at(0), (std::pair<std::string, std::string>("A", "b=c")));
  for (const char* broken : {"", "[]", "{}", R"({"Id":7})"})
    EXPECT_FALSE(read_image(broken, rootfs::parse_reference("debian").value())) << broken;
}

TEST(DockerFacts, AreReadFromInfo) {
  const auto facts = read_facts(
      R"({"ServerVersion":"20.10","Driver":"overlay2","CgroupVersion":"2","MemoryLimit":true,"PidsLimit":true,"NCPU":4,
          "DriverStatus":[["Backing Filesystem","extfs"]],"SecurityOptions":["name=seccomp","name=userns"]})");
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->version, "20.10");
  EXPECT_EQ(facts->cgroup_version, 2);
  EXPECT_TRUE(facts->memory_limit && facts->pids_limit && facts->remaps_users);
  EXPECT_FALSE(facts->cpu_quota || facts->rootless);
  EXPECT_EQ(facts->cpus, 4);
  EXPECT_FALSE(read_facts("no"));
}

std::string tar_entry(char type, std::string text) {
  std::string header(512, '\0');
  header.replace(0, 6, "passwd");
  header.replace(124, 11, fmt::format("{:011o}", text.size()));
  header[156] = type;
  text.resize((text.size() + 511) / 512 * 512);
  return header + text;
}

TEST(DockerTar, AFileIsReadAndALinkIsNot) {
  const std::string end(1024, '\0');
  EXPECT_EQ(file_in_tar(tar_entry('0', "app:x:7:7\n") + end).value(), "app:x:7:7\n");
  EXPECT_EQ(file_in_tar(tar_entry('x', "30 mtime=1\n") + tar_entry('0', "text") + end).value(), "text");
  EXPECT_EQ(file_in_tar(tar_entry('2', "") + end).value(), "") << "a link";
  for (const std::string& broken : {std::string(), std::string("x"), end, tar_entry('0', "text").substr(0, 514),
                                    tar_entry('x', "30 mtime=1\n").substr(0, 520), std::string(512, 'x')})
    EXPECT_FALSE(file_in_tar(broken));
  std::string huge = tar_entry('0', "");
  huge.replace(124, 11, "77777777777");
  EXPECT_EQ(file_in_tar(huge).error().kind, ErrorKind::exhausted);
}

class Body : public testing::Test {
 protected:
  json::object body() const {
    return json::parse(container_body(spec_, {"/state/leash", "/lib/init", "/state", "none"}, facts_)).as_object();
  }
  static const json::object& host(const json::object& all) { return all.at("HostConfig").as_object(); }
  SandboxSpec spec_;
  DaemonFacts facts_;
};

TEST_F(Body, HoldsNoEnvironmentNoLogAndNoCapabilityBeyondThoseOfInit) {
  const json::object all = body();
  EXPECT_FALSE(all.contains("Env"));
  EXPECT_EQ(host(all).at("LogConfig").at("Type"), "none");
  EXPECT_EQ(host(all).at("AutoRemove"), true);
  EXPECT_EQ(host(all).at("CapDrop"), json::array{"ALL"});
  EXPECT_FALSE(host(all).contains("Privileged"));
  EXPECT_EQ(host(all).at("NetworkMode"), "none");
}

TEST_F(Body, LimitsAreThoseThatTheDaemonCanHold) {
  spec_.limits = {.memory_bytes = 1U << 30U, .cpus = 8, .pids = 10, .disk_bytes = {}};
  EXPECT_FALSE(host(body()).contains("Memory") || host(body()).contains("NanoCpus") ||
               host(body()).contains("PidsLimit"));
  facts_.memory_limit = facts_.swap_limit = facts_.cpu_quota = facts_.pids_limit = true;
  facts_.cpus = 2;
  const json::object all = body();
  EXPECT_EQ(host(all).at("Memory").to_number<std::uint64_t>(), 1U << 30U);
  EXPECT_EQ(host(all).at("MemorySwap"), host(all).at("Memory"));
  EXPECT_EQ(host(all).at("NanoCpus").to_number<std::int64_t>(), 2'000'000'000)
      << "more than there are is refused by it";
  EXPECT_EQ(host(all).at("PidsLimit").to_number<int>(), 11) << "init counts too";
}

TEST_F(Body, ReadOnlyRootKeepsTheWorkspaceAndTmpWritable) {
  spec_.read_only_root = true;
  spec_.workspace = "/data";
  const json::object all = body();
  EXPECT_EQ(host(all).at("ReadonlyRootfs"), true);
  EXPECT_TRUE(host(all).at("Tmpfs").as_object().contains("/tmp"));
  EXPECT_TRUE(host(all).at("Tmpfs").as_object().contains("/data"));
}

TEST_F(Body, OnlyAJobWithServicesAndTheyMayChangeTheirNetwork) {
  EXPECT_EQ(json::serialize(host(body()).at("CapAdd")).find("NET_ADMIN"), std::string::npos);
  spec_.private_network = PrivateNetwork{SandboxId("job"), {"db", "web"}, {}};
  const json::object job = body();
  EXPECT_NE(json::serialize(host(job).at("CapAdd")).find("NET_ADMIN"), std::string::npos);
  EXPECT_EQ(host(job).at("ExtraHosts"), (json::array{"db:198.51.100.2", "web:198.51.100.6"}));
  EXPECT_EQ(host(job).at("Sysctls").at("net.ipv4.ip_forward"), "1");
  spec_.private_network->self = 1;
  EXPECT_FALSE(host(body()).at("Sysctls").as_object().contains("net.ipv4.ip_forward")) << "a service passes nothing on";
}

TEST(DockerSetup, MessagesComeThroughUnchanged) {
  const auto setup = decode_setup(encode(docker::Setup{"/w", 7, true, {"/w/src"}, 2, 3, 1}));
  ASSERT_TRUE(setup);
  EXPECT_EQ(setup->workspace, "/w");
  EXPECT_EQ(setup->job_id, 7U);
  EXPECT_TRUE(setup->read_only_root);
  EXPECT_EQ(setup->services, 3U);
  EXPECT_EQ(setup->service, 1U);
  EXPECT_EQ(setup->mount_points, std::vector<std::string>{"/w/src"});
  const auto contents = decode_contents(encode(Contents{{{"/w/src", {{".git/config", "x"}}, true}}}));
  ASSERT_TRUE(contents);
  EXPECT_EQ(contents->trees.at(0).replaced.at(0).second, "x");
  const auto told = decode_ready(encode(Error{ErrorKind::exhausted, "full"}));
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().kind, ErrorKind::exhausted);
  EXPECT_FALSE(decode_ready("no"));
  EXPECT_FALSE(decode_setup("{}"));
}

}  // namespace
}  // namespace slipway::sandbox::docker
