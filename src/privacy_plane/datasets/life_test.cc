// What is in use, what a deletion takes with it, what a quota refuses: decided on tables alone.
#include <gtest/gtest.h>

#include "privacy_plane/datasets/collector.h"
#include "privacy_plane/datasets/deletion.h"
#include "privacy_plane/datasets/quota.h"
#include "privacy_plane/datasets/rotation.h"
#include "privacy_plane/datasets/snapshots.h"

namespace cce::privacy_plane {
namespace {

constexpr DatasetId kId = {0xda};

class LifeTest : public testing::Test {
 protected:
  LifeTest() {
    DatasetRecord& dataset = tables_.datasets[kId];
    dataset.id = kId;
    dataset.epochs[1] = {.commitment = {1}, .opened = 10};
    config_.quota = {.bytes = 1000, .files = 10, .snapshots = 2};
  }
  DatasetRecord& dataset() { return tables_.datasets.at(kId); }
  SnapshotRecord& Snapshot(uint8_t name, uint32_t epoch = 1) {
    SnapshotRecord& s = dataset().snapshots[{name}];
    s.id = {name};
    s.epoch = epoch;
    s.counts = {.files = 3, .bytes = 300};
    s.objects = {{.name = {name, 1}, .size = 5}, {.name = {name, 2}, .size = 5}};
    s.leak_index = dataset::StoredObject{.name = {name, 3}, .size = 5};
    return s;
  }
  void Rotate(uint8_t from, uint8_t to, uint32_t epoch) {
    dataset().epochs[epoch] = {.commitment = {static_cast<uint8_t>(epoch)}, .opened = 20};
    Snapshot(to, epoch).predecessor = SnapshotId{from};
    dataset().snapshots.at({from}).successor = SnapshotId{to};
  }
  JobRecord& Job(uint8_t name, uint8_t snapshot, protocol::JobState state) {
    JobRecord& job = tables_.jobs[{name}];
    job.id = {name};
    job.state = state;
    job.spec.datasets = {{.dataset = kId, .snapshot = {snapshot}}};
    return job;
  }
  DraftRecord& Draft(uint8_t name) {
    DraftRecord& draft = tables_.drafts[{name}];
    draft.id = {name};
    draft.dataset = kId;
    draft.parts[0] = {.record = {name, 8}, .pieces = 4, .bytes = 100, .object = {{name, 9}, 5}};
    draft.bytes = 100;
    return draft;
  }
  bool InUse(const Digest32& name) {
    const auto used = ObjectsInUse(tables_, kId);
    return std::ranges::binary_search(used, name);
  }
  DeletionPlan Plan(SnapshotId snapshot) {
    return PlanDeletion(tables_, dataset(), snapshot).value();
  }
  std::string Refusal(const Result<>& result) { return result ? "" : result.error().code; }

  Tables tables_;
  Config config_;
};

using protocol::JobState;

TEST_F(LifeTest, WhatASnapshotOrAnOpenUploadNamesIsInUse) {
  Snapshot(1);
  Draft(7);
  for (const Digest32& name : {Digest32{1}, {1, 1}, {1, 2}, {1, 3}, {7, 8}, {7, 9}}) {
    EXPECT_TRUE(InUse(name)) << ToHex(name);
  }
  EXPECT_FALSE(InUse({1, 4}));
}

TEST_F(LifeTest, WhatIsDeletedOrAbandonedIsNot) {
  Snapshot(1).deleted = true;
  Draft(7).abandoned = true;
  EXPECT_TRUE(ObjectsInUse(tables_, kId).empty());
}

TEST_F(LifeTest, ARotatedSnapshotIsInUseUntilItsEpochEnds) {
  Snapshot(1);
  Rotate(1, 2, 2);
  dataset().rotation = RotationRecord{.epoch = 2, .done = {{{9}, {.name = {9, 9}}}}};
  EXPECT_TRUE(InUse({1, 1}));
  EXPECT_TRUE(InUse({2, 1}));
  EXPECT_TRUE(InUse({9, 9}));  // sealed anew, of a snapshot that is not replaced yet
  dataset().rotation.reset();
  dataset().epochs.at(1).destroyed = 30;
  EXPECT_FALSE(InUse({1}));
  EXPECT_FALSE(InUse({1, 1}));
  EXPECT_TRUE(InUse({2, 1}));
}

TEST_F(LifeTest, ARotationWaitsForJobsThatReadOrWillRead) {
  Snapshot(1);
  Rotate(1, 2, 2);
  EXPECT_FALSE(HasReadersOfRotated(tables_, dataset()));
  for (const JobState state : {JobState::kQueued, JobState::kRunning}) {
    Job(5, 1, state);
    EXPECT_TRUE(HasReadersOfRotated(tables_, dataset()));
  }
  Job(5, 1, JobState::kReviewing);
  EXPECT_FALSE(HasReadersOfRotated(tables_, dataset()));
  Job(5, 2, JobState::kRunning);
  EXPECT_FALSE(HasReadersOfRotated(tables_, dataset()));
}

TEST_F(LifeTest, WhichSnapshotsMayBeNamed) {
  Snapshot(1);
  EXPECT_EQ(Refusal(CheckLive(dataset(), {1})), "");
  EXPECT_EQ(Refusal(CheckLive(dataset(), {3})), "dataset.unknown_snapshot");
  Rotate(1, 2, 2);
  Rotate(2, 3, 3);
  EXPECT_EQ(Refusal(CheckReadable(dataset(), {1})), "");
  const Result<> rotated = CheckLive(dataset(), {1});
  EXPECT_EQ(Refusal(rotated), "dataset.rotated");
  EXPECT_NE(rotated.error().next.find(ToHex(SnapshotId{3})), std::string::npos);
  dataset().epochs.at(1).destroyed = 30;
  EXPECT_EQ(Refusal(CheckReadable(dataset(), {1})), "dataset.rotated");
  dataset().snapshots.at({3}).deleted = true;
  EXPECT_EQ(Refusal(CheckReadable(dataset(), {3})), "dataset.deleted");
  dataset().deleted = true;
  EXPECT_EQ(Refusal(CheckReadable(dataset(), {3})), "dataset.deleted");
}

TEST_F(LifeTest, DeletingASnapshotKeepsAnEpochThatOthersNeed) {
  Snapshot(1);
  Snapshot(2);
  const DeletionPlan plan = Plan({1});
  EXPECT_FALSE(plan.whole);
  EXPECT_EQ(plan.snapshots, std::vector<SnapshotId>{{1}});
  EXPECT_TRUE(plan.epochs.empty());
  EXPECT_EQ(plan.kept_epochs, std::vector<uint32_t>{1});
  dataset().snapshots.at({2}).deleted = true;
  EXPECT_EQ(Plan({1}).epochs, std::vector<uint32_t>{1});
  Draft(7).epoch = 1;
  EXPECT_TRUE(Plan({1}).epochs.empty());
}

TEST_F(LifeTest, DeletingARotationDeletesWhatItWasMadeOf) {
  Snapshot(1);
  Rotate(1, 2, 2);
  Job(5, 1, JobState::kRunning);
  const DeletionPlan plan = Plan({2});
  EXPECT_EQ(plan.snapshots, (std::vector<SnapshotId>{{2}, {1}}));
  EXPECT_EQ(plan.epochs, (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(plan.jobs, std::vector<JobId>{{5}});
  EXPECT_EQ(PlanDeletion(tables_, dataset(), {1}).error().code, "dataset.rotated");
}

TEST_F(LifeTest, DeletingADatasetTakesEverything) {
  Snapshot(1);
  Rotate(1, 2, 2);
  Snapshot(3, 2);
  Draft(7);
  Job(4, 3, JobState::kQueued);
  Job(5, 3, JobState::kReviewing);
  Job(6, 3, JobState::kReleased);
  dataset().epochs.at(1).destroyed = 30;
  const DeletionPlan plan = Plan({});
  EXPECT_TRUE(plan.whole);
  EXPECT_EQ(plan.snapshots.size(), 3U);
  EXPECT_EQ(plan.epochs, std::vector<uint32_t>{2});
  EXPECT_EQ(plan.jobs, (std::vector<JobId>{{4}, {5}}));
}

TEST_F(LifeTest, AQuotaCountsLiveSnapshotsAndOpenUploads) {
  Snapshot(1);
  Rotate(1, 2, 2);
  Draft(7);
  const Usage used = UsageOf(tables_, dataset());
  EXPECT_EQ(used.bytes, 400U);
  EXPECT_EQ(used.files, 7U);
  EXPECT_EQ(used.snapshots, 1U);
  const auto check = [&](const Usage& more) {
    return Refusal(CheckQuota(tables_, dataset(), config_, more));
  };
  EXPECT_EQ(check({.bytes = 600, .files = 3, .snapshots = 1}), "");
  EXPECT_EQ(check({.bytes = 601}), "upload.quota");
  EXPECT_EQ(check({.bytes = UINT64_MAX}), "upload.quota");
  EXPECT_EQ(check({.files = 4}), "upload.quota_files");
  EXPECT_EQ(check({.snapshots = 2}), "upload.quota_snapshots");
  config_.quotas[kId] = {.bytes = 100, .files = 100, .snapshots = 100};
  EXPECT_EQ(check({}), "upload.quota");
  EXPECT_EQ(QuotaLeft(tables_, dataset(), config_).bytes, 0U);
  EXPECT_EQ(QuotaLeft(tables_, dataset(), config_).files, 93U);
}

TEST(WritesInFlight, AMomentPassesWhenAllEarlierTicketsAreBack) {
  WritesInFlight writes;
  auto first = writes.Begin();
  const uint64_t mark = writes.Mark();
  const auto later = writes.Begin();
  EXPECT_FALSE(writes.AllBack(mark));
  auto moved = std::move(first);
  EXPECT_FALSE(writes.AllBack(mark));
  moved.Return();
  EXPECT_TRUE(writes.AllBack(mark));
  EXPECT_FALSE(writes.AllBack(writes.Mark()));
}

}  // namespace
}  // namespace cce::privacy_plane
