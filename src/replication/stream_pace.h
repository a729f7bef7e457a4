// The pace of a stream: when its next commit is due, and whether it keeps up with its source.
//
// A commit takes processors, and whatever else runs on the machine feels it: a database beside it,
// queries. So the dearer commits are, the rarer they become: as far as that makes nobody wait for
// long, and further while nobody reads. Used by one thread.
#pragma once

#include <chrono>

namespace biwa {

class StreamPace {
  public:
    using Time = std::chrono::steady_clock::time_point;

    // Commits are so far apart, from the beginning of one to that of the next, where they cost
    // little; where they cost more, up to kRead.longest times that while somebody reads and
    // kUnread.longest times while nobody does; and beyond only as a commit takes longer than that.
    explicit StreamPace(std::chrono::milliseconds commit_every) : every_(commit_every) {}

    // Following begins: the next commit is due at once, and it is to be seen whether it keeps up.
    void Begin(Time now) {
        next_read_ = next_unread_ = now;
        keeps_up_ = false;
    }
    // A commit was made from then to then, and worked for one part of so many of that time.
    void Committed(Time began, Time ended, int parts = 1);
    // One of many changes, as of a stream that is behind: it tells nothing of what the next costs,
    // which may have the last few of them.
    void CommittedMany(Time began) { next_read_ = next_unread_ = began + every_; }
    Time next_commit(bool is_read) const { return is_read ? next_read_ : next_unread_; }

    // A look at what is here and what is to come: `has_all` that was received, and how old the last
    // of it is, by the source's clock. A stream that has come near keeps up until it is far behind.
    // Under steady load there is always something that was received and is not here yet.
    bool KeepsUp(bool has_all, std::chrono::duration<double> lag);

    struct Distance {
        int rest;     // a commit is followed by so many times what it worked,
        int longest;  // but the next one begins after so many times commit_every
    };
    static constexpr Distance kRead{20, 3}, kUnread{200, 100};
    static constexpr std::chrono::seconds kNear{5}, kFar{60};

  private:
    const std::chrono::steady_clock::duration every_;
    Time next_read_{}, next_unread_{};
    bool keeps_up_ = false;
};

}  // namespace biwa
