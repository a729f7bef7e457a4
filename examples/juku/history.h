// The history of a school's study: sessions and answers in the order of time, a day at a time, so
// that memory stays bounded by a day's answers and some hundred bytes a pupil.
//
// The same options give the same history.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "juku/learning.h"
#include "juku/school.h"

namespace juku {

struct HistoryOptions {
    std::uint64_t seed = 1;
    std::int64_t answers = 200'000;  // so many exactly
    int days = 120;                  // that the history spans
    biwa::Micros until = 0;          // it ends here; whoever studies then has an open session

    int students() const { return static_cast<int>(std::max<std::int64_t>(20, answers / 400)); }
};

struct Session {
    std::int64_t id;
    std::int32_t pupil;  // from 0
    std::int32_t unit;
    SessionKind kind;
    std::uint8_t device;
    biwa::Micros started_at;
    biwa::Micros ended_at;  // 0 while open
};

struct Answer {
    std::int64_t session_id;
    std::int32_t pupil;
    std::int32_t problem;
    std::int32_t response_ms;
    std::int16_t score_tenths;
    bool correct;
    biwa::Micros answered_at;
    biwa::Micros corrected_at;  // 0: never
};

class History {
  public:
    explicit History(const HistoryOptions& options);

    const SchoolSize& size() const { return size_; }
    const std::vector<Problem>& problems() const { return problems_; }

    // The sessions that begin in the next 24 hours and the answers given in them, each ordered by
    // time. False when there are no more.
    bool Next(std::vector<Session>& sessions, std::vector<Answer>& answers);

  private:
    struct PupilState {
        PupilState(const Pupil& who, const Traits& what) : pupil(who), traits(what) {}
        Pupil pupil;
        Traits traits;
        std::array<Practice, kSubjects> practice;
        biwa::Micros busy_until = 0;
    };
    struct Plan {
        biwa::Micros start;
        std::int32_t pupil;
        SessionKind kind;
        std::int32_t length;
    };

    // Sessions of `answers` answers in all that begin in hours [first_hour, last_hour).
    std::vector<Plan> PlanSessions(std::int64_t answers, int first_hour, int last_hour);
    int ChoosePupil(biwa::Micros time);
    void Simulate(const Plan& plan, std::vector<Session>& sessions);

    HistoryOptions options_;
    biwa::Micros start_;
    SchoolSize size_;
    std::vector<Problem> problems_;
    std::vector<PupilState> pupils_;
    std::vector<double> diligence_;     // running sum over pupils
    std::vector<double> hour_weights_;  // running sum over the hours of the history
    Random random_;
    int day_ = 0;
    std::int64_t planned_ = 0;  // answers of the days before
    std::int64_t given_ = 0;    // answers simulated, all before `until`
    std::int64_t next_session_ = 1;
    std::vector<Answer> pending_;  // simulated, not yet handed out
};

}  // namespace juku
