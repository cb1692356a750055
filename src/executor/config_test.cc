#include <gtest/gtest.h>
#include <seccomp.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "executor/container.h"
#include "executor/seccomp_profile.h"

namespace cce::executor {
namespace {

ContainerSpec Spec() {
  ContainerSpec spec;
  spec.id = "job-1";
  spec.rootfs = "/r";
  spec.work_folder = "/w";
  spec.config.entrypoint = {"/bin/run"};
  spec.config.command = {"all"};
  spec.config.environment = {"LANG=C", "PATH=/bin"};
  spec.config.working_folder = "/";
  spec.datasets = {{"trial", "/run/data/trial"}};
  return spec;
}

json::object Config(const ContainerSpec& spec) {
  auto config = RuntimeConfig(spec, {}, "/w/scratch");
  EXPECT_TRUE(config) << config.error().message;
  return config.value_or(json::object{});
}

TEST(RuntimeConfig, HoldsEachControl) {
  const json::object config = Config(Spec());
  const json::object& process = config.at("process").as_object();
  EXPECT_EQ(process.at("noNewPrivileges"), true);
  for (const auto& [name, set] : process.at("capabilities").as_object()) {
    EXPECT_TRUE(set.as_array().empty()) << std::string_view(name);
  }
  EXPECT_EQ(config.at("root").at("readonly"), true);
  EXPECT_EQ(config.at("linux").at("namespaces").as_array().size(), 7u);
  EXPECT_EQ(config.at("linux").at("uidMappings").at(0).at("hostID"), 65536);
  for (const json::value& space : config.at("linux").at("namespaces").as_array()) {
    EXPECT_FALSE(space.as_object().contains("path"));  // none is joined, all are new
  }
  EXPECT_FALSE(config.contains("hooks"));
  EXPECT_EQ(ToJson(config.at("linux").at("resources").at("cpu")),
            R"({"quota":100000,"period":100000})");
  EXPECT_EQ(ToJson(process.at("args")), R"(["/bin/run","all"])");
  EXPECT_EQ(ToJson(process.at("env")), R"(["LANG=C","PATH=/bin"])");
}

TEST(RuntimeConfig, DatasetsAreReadOnly) {
  bool found = false;
  const json::object config = Config(Spec());
  for (const json::value& mount : config.at("mounts").as_array()) {
    if (mount.at("destination") != "/data/trial") continue;
    found = true;
    EXPECT_EQ(ToJson(mount.at("options")), R"(["bind","ro","nosuid","nodev"])");
  }
  EXPECT_TRUE(found);
}

TEST(RuntimeConfig, TheJobsCommandReplacesTheImages) {
  ContainerSpec spec = Spec();
  spec.command = {"/bin/other", "x"};
  const json::object config = Config(spec);
  EXPECT_EQ(ToJson(config.at("process").at("args")), R"(["/bin/other","x"])");
}

TEST(RuntimeConfig, RefusesBadSpecs) {
  const auto refused = [](auto change) {
    ContainerSpec spec = Spec();
    change(spec);
    auto config = RuntimeConfig(spec, {}, "/w/scratch");
    return !config && config.error().code == "container.bad_spec";
  };
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.id = "../x"; }));
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.id = "-x"; }));
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.rootfs = "r"; }));
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.datasets[0].name = "a/../../etc"; }));
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.datasets[0].name = ".."; }));
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.datasets.push_back(s.datasets[0]); }));
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.datasets[0].source = "rel"; }));
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.ids.first = 0; }));
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.command = {std::string("a\0b", 3)}; }));
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.command = {std::string(1 << 20, 'a')}; }));
  EXPECT_TRUE(refused([](ContainerSpec& s) { s.config.working_folder = "x"; }));
  EXPECT_TRUE(refused([](ContainerSpec& s) {
    s.config.entrypoint.clear();
    s.config.command.clear();
  }));
  auto user = RuntimeConfig(Spec(), {.uid = 70000}, "/w/scratch");
  ASSERT_FALSE(user);
  EXPECT_EQ(user.error().code, "container.bad_spec");
}

TEST(SeccompProfile, EveryNameIsACall) {
  for (const std::string_view name : PlainAllowedCalls()) {
    EXPECT_NE(seccomp_syscall_resolve_name(std::string(name).c_str()), __NR_SCMP_ERROR) << name;
  }
}

TEST(SeccompProfile, AllowsNoDangerousCall) {
  for (const std::string_view bad : {"socket",
                                     "clone",
                                     "clone3",
                                     "unshare",
                                     "setns",
                                     "mount",
                                     "umount2",
                                     "pivot_root",
                                     "chroot",
                                     "ptrace",
                                     "process_vm_readv",
                                     "process_vm_writev",
                                     "bpf",
                                     "perf_event_open",
                                     "userfaultfd",
                                     "io_uring_setup",
                                     "io_uring_enter",
                                     "keyctl",
                                     "add_key",
                                     "request_key",
                                     "kexec_load",
                                     "init_module",
                                     "finit_module",
                                     "open_by_handle_at",
                                     "pidfd_getfd",
                                     "reboot",
                                     "swapon",
                                     "settimeofday",
                                     "clock_settime",
                                     "fsopen",
                                     "move_mount",
                                     "kcmp",
                                     "quotactl",
                                     "syslog"}) {
    for (const std::string_view name : PlainAllowedCalls()) EXPECT_NE(name, bad);
  }
  EXPECT_EQ(SeccompProfile().at("defaultAction"), "SCMP_ACT_ERRNO");
}

class ResolveUserTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cce-user-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    std::filesystem::create_directory(root_ + "/etc");
    std::ofstream(root_ + "/etc/passwd") << "root:x:0:0::/:/bin/sh\nann:x:1000:100::/:/bin/sh\n";
    std::ofstream(root_ + "/etc/group") << "root:x:0:\nlab:x:200:ann\n";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string Resolve(const std::string& user) {
    auto r = ResolveUser(user, root_);
    return r ? std::to_string(r->uid) + ":" + std::to_string(r->gid) : r.error().code;
  }
  std::string root_;
};

TEST_F(ResolveUserTest, Resolves) {
  EXPECT_EQ(Resolve(""), "0:0");
  EXPECT_EQ(Resolve("ann"), "1000:100");
  EXPECT_EQ(Resolve("ann:lab"), "1000:200");
  EXPECT_EQ(Resolve("1000"), "1000:100");
  EXPECT_EQ(Resolve("77"), "77:0");
  EXPECT_EQ(Resolve("77:5"), "77:5");
  EXPECT_EQ(Resolve("bob"), "container.bad_spec");
  EXPECT_EQ(Resolve("ann:nobody"), "container.bad_spec");
}

TEST_F(ResolveUserTest, StaysInsideTheRoot) {
  std::filesystem::remove(root_ + "/etc/passwd");
  std::filesystem::create_symlink("/../../../../etc/passwd", root_ + "/etc/passwd");
  // The link leads to itself within the root, never to the host's file.
  EXPECT_EQ(Resolve("daemon"), "container.bad_spec");
}

}  // namespace
}  // namespace cce::executor
