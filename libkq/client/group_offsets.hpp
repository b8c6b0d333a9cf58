// Offsets that a group has committed: asked for, and committed.
#pragma once

#include "libkq/client/coordinator.hpp"
#include "libkq/client/group_member.hpp"
#include "libkq/client/group_offset.hpp"

namespace kq::client {

// Commits `offsets` for a member, or for nobody (an identity as it is made); the error of each tells how it went, and that which is given
// is about all of them.  Tried again while the coordinator moves or loads, until the deadline.  `offsets` must outlive it.
awaitable<Result<bool>> commit_offsets(std::shared_ptr<Coordinator>, std::string group, MemberIdentity,
                                       std::vector<GroupOffset>& offsets, Instant deadline);

// Fills in what is committed for each partition of `offsets`; or, with `all`, everything that the group has.  Offsets that a transaction is
// about to commit are waited for.
awaitable<Result<bool>> fetch_offsets(std::shared_ptr<Coordinator>, std::string group, MemberIdentity, bool all,
                                      std::vector<GroupOffset>& offsets, Instant deadline);

// A group's no: what it means for the caller, and whether trying again after the next poll may help.
Error group_refusal(std::string_view group, std::string_view what, Code);
Error no_group_error();  // group.id is not set

}  // namespace kq::client
