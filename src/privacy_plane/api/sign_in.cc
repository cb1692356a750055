#include "privacy_plane/api/sign_in.h"

#include <algorithm>

#include "chain/signer.h"
#include "chain/siwe.h"
#include "privacy_plane/datasets/quota.h"
#include "privacy_plane/datasets/snapshots.h"

namespace cce::privacy_plane {
namespace {

constexpr UnixSeconds kNonceLifetime = 600;
constexpr UnixSeconds kUploadTokenLifetime = UnixSeconds{24} * 3600;
constexpr UnixSeconds kOwnerTokenLifetime = UnixSeconds{8} * 3600;
constexpr int64_t kMaxMessageLifetime = int64_t{24} * 3600;
constexpr size_t kMaxNonces = 100000;

struct Purpose {
  TokenRecord::Purpose purpose;
  DatasetId dataset;
  DraftId draft;
};

// Reads the second resource of a token's message.
Result<Purpose> ParsePurpose(const chain::SiweMessage& message) {
  const auto bad = [] {
    return Fail(MakeError("signin.resources", "the message names no purpose")
                    .Expected("two resources: the identity's, then upload or owner"));
  };
  if (!message.resources || message.resources->size() != 2) return bad();
  const std::string& resource = (*message.resources)[1];
  constexpr std::string_view kUpload = "urn:cce4long:v1:upload:";
  constexpr std::string_view kOwner = "urn:cce4long:v1:owner:";
  const auto dataset_at = [&resource](size_t start) {
    return protocol::AddressFromHex(std::string_view(resource).substr(start, 42));
  };
  if (resource.starts_with(kOwner)) {
    ASSIGN_OR_RETURN(const DatasetId dataset, dataset_at(kOwner.size()));
    return Purpose{TokenRecord::Purpose::kOwner, dataset, {}};
  }
  if (!resource.starts_with(kUpload) || resource.size() != kUpload.size() + 42 + 1 + 32) {
    return bad();
  }
  ASSIGN_OR_RETURN(const DatasetId dataset, dataset_at(kUpload.size()));
  ASSIGN_OR_RETURN(const DraftId draft,
                   ArrayFromHex<16>(std::string_view(resource).substr(kUpload.size() + 43)));
  return Purpose{TokenRecord::Purpose::kUpload, dataset, draft};
}

Result<const DatasetRecord*> FindDataset(const Tables& tables, const DatasetId& id) {
  const auto it = tables.datasets.find(id);
  if (it == tables.datasets.end()) {
    return Fail(MakeError("dataset.unknown", "no dataset " + protocol::AddressText(id)));
  }
  return &it->second;
}

// What an upload token brings with it: an epoch for the dataset's first upload, and the draft.
Result<std::vector<Entry>> OpenDraft(const Tables& tables, const Config& config,
                                     const EpochSecrets& secrets, const DatasetRecord& dataset,
                                     const TokenRecord& token) {
  std::vector<Entry> entries;
  TRY(CheckNotDeleted(dataset));
  if (const auto draft = tables.drafts.find(token.draft); draft != tables.drafts.end()) {
    if (draft->second.dataset != token.dataset) {
      return Fail("upload.wrong_draft", "the draft belongs to another dataset");
    }
    return entries;
  }
  TRY(CheckQuota(tables, dataset, config, {.snapshots = 1}));
  uint32_t epoch = 1;
  if (!dataset.epochs.empty()) epoch = dataset.epochs.rbegin()->first;
  if (dataset.epochs.empty() || dataset.epochs.rbegin()->second.destroyed != 0) {
    if (!dataset.epochs.empty()) ++epoch;
    ASSIGN_OR_RETURN(const Digest32 commitment, secrets.Create(token.dataset, epoch));
    entries.push_back(EpochOpened(token.dataset, epoch, commitment));
  }
  DraftRecord draft;
  draft.id = token.draft;
  draft.dataset = token.dataset;
  draft.owner = token.wallet;
  draft.epoch = epoch;
  entries.push_back(DraftOpened(draft));
  return entries;
}

}  // namespace

Result<std::string> BearerToken(const std::map<std::string, std::string>& headers) {
  constexpr std::string_view kBearer = "Bearer ";
  const auto it = headers.find("authorization");
  if (it == headers.end() || !it->second.starts_with(kBearer)) {
    return Fail("signin.token", "no bearer token was sent");
  }
  return it->second.substr(kBearer.size());
}

Result<protocol::NonceReply> SignIn::NewNonce() {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz012345";
  static_assert(sizeof kAlphabet - 1 == 58);
  std::string nonce;
  while (nonce.size() < 22) {
    for (const uint8_t byte : crypto::RandomBytes(32)) {
      // 232 = 4 * 58: without bias.
      if (byte < 232 && nonce.size() < 22) nonce += kAlphabet[byte % 58];
    }
  }
  const UnixSeconds now = core_.clock->Now();
  const std::lock_guard lock(mutex_);
  std::erase_if(nonces_, [now](const auto& entry) { return entry.second < now; });
  if (nonces_.size() >= kMaxNonces) {
    return Fail("signin.too_many", "too many sign-ins are under way");
  }
  nonces_[nonce] = now + kNonceLifetime;
  return protocol::NonceReply{nonce, now + kNonceLifetime};
}

Result<> SignIn::SpendNonce(const std::string& nonce, UnixSeconds now) {
  const std::lock_guard lock(mutex_);
  const auto it = nonces_.find(nonce);
  if (it == nonces_.end() || it->second < now) {
    return Fail(MakeError("signin.nonce", "the message's nonce is unknown, spent or too old")
                    .Expected("a nonce from POST /v1/nonces, used once within 10 minutes"));
  }
  nonces_.erase(it);
  return {};
}

Result<Wallet> SignIn::Verify(const protocol::SignInRequest& request, const std::string& resource) {
  ASSIGN_OR_RETURN(const chain::SiweMessage message, chain::ParseSiwe(request.message));
  TRY(SpendNonce(message.nonce, core_.clock->Now()));
  ASSIGN_OR_RETURN(const chain::Block block, core_.chain->FinalBlock());
  ASSIGN_OR_RETURN(const UnixSeconds now, core_.TrustedNow(block));
  chain::SiweExpectations expected;
  expected.domain = core_.config.public_domain;
  expected.uri = core_.config.public_url;
  expected.chain_id = core_.config.chain_id;
  expected.nonce = message.nonce;  // ours, spent just now
  expected.now = now;
  expected.resources = {protocol::IdentityResource(core_.identity_hash), resource};
  expected.max_lifetime = kMaxMessageLifetime;
  const chain::ChainWallets wallets(core_.chain, block);
  TRY(chain::VerifySiwe(request.message, request.signature, expected, &wallets));
  return message.address;
}

Result<protocol::TokenReply> SignIn::IssueToken(const protocol::SignInRequest& request) {
  ASSIGN_OR_RETURN(const chain::SiweMessage message, chain::ParseSiwe(request.message));
  ASSIGN_OR_RETURN(const Purpose purpose, ParsePurpose(message));
  const bool upload = purpose.purpose == TokenRecord::Purpose::kUpload;
  const std::string resource = upload ? protocol::UploadResource(purpose.dataset, purpose.draft)
                                      : protocol::OwnerResource(purpose.dataset);
  ASSIGN_OR_RETURN(const Wallet wallet, Verify(request, resource));
  TokenRecord token;
  token.purpose = purpose.purpose;
  token.wallet = wallet;
  token.dataset = purpose.dataset;
  token.draft = purpose.draft;
  token.expires_at = core_.clock->Now() + (upload ? kUploadTokenLifetime : kOwnerTokenLifetime);
  return MakeToken(token);
}

Result<protocol::TokenReply> SignIn::MakeToken(TokenRecord token) {
  const std::string text = "cce_" + ToBase64Url(crypto::RandomBytes(32));
  const Digest32 hash = crypto::Sha256(AsBytes(text));
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    ASSIGN_OR_RETURN(const DatasetRecord* const dataset, FindDataset(tables, token.dataset));
    const auto& reviewers = dataset->policy().policy.reviewers;
    const bool reviewer = std::ranges::find(reviewers, token.wallet) != reviewers.end();
    const bool may = token.wallet == dataset->owner ||
                     (token.purpose == TokenRecord::Purpose::kOwner && reviewer);
    if (!may) {
      return Fail(MakeError("signin.not_owner", "this wallet does not own the dataset")
                      .Expected(protocol::AddressText(dataset->owner))
                      .Found(protocol::AddressText(token.wallet)));
    }
    std::vector<Entry> entries;
    if (token.purpose == TokenRecord::Purpose::kUpload) {
      ASSIGN_OR_RETURN(entries,
                       OpenDraft(tables, core_.config, *core_.epoch_secrets, *dataset, token));
    }
    entries.push_back(TokenIssued(hash, token));
    return entries;
  }));
  return protocol::TokenReply{text, token.expires_at};
}

Result<> SignIn::RevokeToken(std::string_view token) {
  const Digest32 hash = crypto::Sha256(AsBytes(token));
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    if (!tables.tokens.contains(hash)) return Fail("signin.token", "no such token");
    return std::vector<Entry>{TokenRevoked(hash)};
  }));
  return {};
}

Result<TokenRecord> SignIn::Authorize(const std::map<std::string, std::string>& headers,
                                      TokenRecord::Purpose purpose) const {
  ASSIGN_OR_RETURN(const std::string token, BearerToken(headers));
  const Digest32 hash = crypto::Sha256(AsBytes(token));
  const UnixSeconds now = core_.clock->Now();
  return core_.state->Read([&](const Tables& tables) -> Result<TokenRecord> {
    const auto it = tables.tokens.find(hash);
    if (it == tables.tokens.end() || it->second.revoked || it->second.expires_at < now ||
        it->second.purpose != purpose) {
      return Fail("signin.token", "the token is unknown, revoked, expired or of another purpose");
    }
    return it->second;
  });
}

}  // namespace cce::privacy_plane
