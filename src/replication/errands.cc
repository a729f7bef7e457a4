#include "replication/errands.h"

#include <utility>

namespace biwa {

std::future<Status> Errands::Leave(Work work) {
    Errand errand{std::move(work), {}};
    auto done = errand.done.get_future();
    std::lock_guard lock(mutex_);
    if (is_closed_) {
        errand.done.set_value(Unavailable("the stream has stopped"));
    } else {
        errands_.push_back(std::move(errand));
    }
    return done;
}

void Errands::Do() {
    std::vector<Errand> errands;
    {
        std::lock_guard lock(mutex_);
        errands = std::exchange(errands_, {});
    }
    for (auto& errand : errands) errand.done.set_value(errand.work());
}

void Errands::Close() {
    std::lock_guard lock(mutex_);
    is_closed_ = true;
    for (auto& errand : std::exchange(errands_, {})) {
        errand.done.set_value(Unavailable("the stream has stopped"));
    }
}

}  // namespace biwa
