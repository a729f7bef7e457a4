#include "juku/history.h"

#include <algorithm>
#include <cmath>

#include "juku/calendar.h"

namespace juku {
namespace {

enum Kind : std::uint64_t { kHistoryNumbers = 201 };

// Index of the first running sum above the draw; `sums` does not decrease.
int Draw(Random& random, const std::vector<double>& sums, int first, int last) {
    const double below = first == 0 ? 0 : sums[static_cast<std::size_t>(first) - 1];
    const double above = sums[static_cast<std::size_t>(last) - 1];
    const double draw = below + random.Uniform() * (above - below);
    const auto found = std::upper_bound(sums.begin() + first, sums.begin() + last, draw);
    return std::min(static_cast<int>(found - sums.begin()), last - 1);
}

}  // namespace

History::History(const HistoryOptions& options)
    : options_(options),
      start_(options.until - options.days * kDay),
      size_{options.seed, options.students(), TokyoDay(start_), TokyoDay(options.until)},
      random_(Random::For(options.seed, kHistoryNumbers, 0)) {
    for (int i = 0; i < kProblems; ++i) problems_.push_back(MakeProblem(options.seed, i));
    pupils_.reserve(static_cast<std::size_t>(size_.students));
    double sum = 0;
    for (int i = 0; i < size_.students; ++i) {
        const Pupil pupil = MakePupil(size_, i);
        pupils_.emplace_back(pupil, Traits(pupil.public_id_high, pupil.public_id_low));
        diligence_.push_back(sum += pupils_.back().traits.diligence);
    }
    // Whoever was there before the history begins has practised before.
    for (auto& state : pupils_) {
        if (state.pupil.enrolled_on >= size_.first_day) continue;
        for (auto& practice : state.practice)
            practice = Practice(12 * state.traits.diligence, start_);
    }
    sum = 0;
    double noise = 1;
    for (int hour = 0; hour < options.days * 24; ++hour) {
        if (hour % 24 == 0) noise = std::exp(0.06 * random_.Normal());  // no two days are alike
        hour_weights_.push_back(sum += noise * StudyWeight(start_ + hour * kHour));
    }
}

int History::ChoosePupil(biwa::Micros time) {
    const std::int32_t day = TokyoDay(time);
    const double hour = static_cast<double>((time + kTokyoOffset) % kDay) / kHour;
    const auto weekday = static_cast<unsigned>((day + 4) % 7);  // 1970-01-01 was a Thursday
    int chosen = 0;
    for (int tries = 0; tries < 40; ++tries) {
        chosen = Draw(random_, diligence_, 0, size_.students);
        const PupilState& state = pupils_[static_cast<std::size_t>(chosen)];
        if (state.pupil.enrolled_on > day) continue;
        double willing = 1.0;
        if (day >= state.pupil.fades_on) willing *= 0.06;
        if (state.traits.weekdays_off >> weekday & 1) willing *= 0.25;
        const double off = (hour - state.traits.peak_hour) / 3.0;
        if (!IsFreeDay(day)) willing *= 0.2 + 0.8 * std::exp(-off * off);
        if (random_.Chance(willing)) return chosen;
    }
    return chosen;
}

std::vector<History::Plan> History::PlanSessions(std::int64_t answers, int first_hour,
                                                 int last_hour) {
    std::vector<Plan> plans;
    while (answers > 0) {
        const int hour = Draw(random_, hour_weights_, first_hour, last_hour);
        const biwa::Micros start =
            start_ + hour * kHour + static_cast<biwa::Micros>(random_.Uniform() * kHour);
        const auto kind = ChooseSessionKind(random_);
        const auto length = static_cast<std::int32_t>(
            std::min<std::int64_t>(answers, ChooseSessionLength(random_, kind)));
        plans.push_back({start, ChoosePupil(start), kind, length});
        answers -= length;
    }
    std::sort(plans.begin(), plans.end(),
              [](const Plan& a, const Plan& b) { return a.start < b.start; });
    return plans;
}

void History::Simulate(const Plan& plan, std::vector<Session>& sessions) {
    PupilState& state = pupils_[static_cast<std::size_t>(plan.pupil)];
    biwa::Micros now = std::max(plan.start, state.busy_until);
    if (now >= options_.until) return;
    const int unit = ChooseUnit(random_, state.pupil.grade, SchoolYearProgress(TokyoDay(now)));
    const int subject = SubjectOfUnit(unit);
    Practice& practice = state.practice[static_cast<std::size_t>(subject)];
    const double talent = state.traits.talent[static_cast<std::size_t>(subject)];

    Session session{
        next_session_++, plan.pupil, unit, plan.kind,
        // A pupil mostly uses the same device.
        static_cast<std::uint8_t>(random_.Chance(0.9) ? state.pupil.public_id_high % kDevices
                                                      : random_.Next() % kDevices),
        now, 0};
    for (int i = 0; i < plan.length; ++i) {
        const double ability = Ability(talent, practice.At(now));
        const int number = ChooseProblem(random_, unit, ability, problems_);
        const Problem& problem = problems_[static_cast<std::size_t>(number)];
        const Response response = Respond(random_, state.traits, ability, subject, problem);
        now += response.milliseconds * 1000 +
               static_cast<biwa::Micros>((1.5 + 6 * random_.Uniform()) * kSecond);
        if (now >= options_.until) break;
        practice.Add(response.correct, now);
        Answer answer{session.id, plan.pupil,       number, response.milliseconds,
                      0,          response.correct, now,    0};
        // A teacher sees that a response was right after all.
        if (!response.correct && random_.Chance(0.01)) {
            const auto later =
                now + static_cast<biwa::Micros>((1 + 40 * random_.Uniform()) * kHour);
            if (later < options_.until) {
                answer.correct = true;
                answer.corrected_at = later;
            }
        }
        answer.score_tenths =
            static_cast<std::int16_t>(ScoreTenths(random_, problem, answer.correct));
        pending_.push_back(answer);
        ++given_;
    }
    now += static_cast<biwa::Micros>(random_.Uniform() * 20 * kSecond);
    if (now < options_.until) session.ended_at = now;
    state.busy_until = now + 2 * 60 * kSecond;
    sessions.push_back(session);
}

bool History::Next(std::vector<Session>& sessions, std::vector<Answer>& answers) {
    sessions.clear();
    answers.clear();
    if (day_ == options_.days) return false;
    const bool last = ++day_ == options_.days;
    const int first_hour = (day_ - 1) * 24, last_hour = day_ * 24;

    const double share =
        hour_weights_[static_cast<std::size_t>(last_hour) - 1] / hour_weights_.back();
    const auto target =
        last ? options_.answers : std::llround(share * static_cast<double>(options_.answers));
    for (const Plan& plan : PlanSessions(target - planned_, first_hour, last_hour)) {
        Simulate(plan, sessions);
    }
    planned_ = target;
    // The end of the history cuts sessions short. What is missing is given earlier that day; the
    // first hours of it are far enough from the end for each pupil to finish.
    while (last && given_ < options_.answers) {
        for (const Plan& plan :
             PlanSessions(options_.answers - given_, first_hour, last_hour - 2)) {
            PupilState& state = pupils_[static_cast<std::size_t>(plan.pupil)];
            state.busy_until = 0;
            Simulate(plan, sessions);
        }
    }

    const auto by_time = [](const Answer& a, const Answer& b) {
        return a.answered_at != b.answered_at ? a.answered_at < b.answered_at
                                              : a.session_id < b.session_id;
    };
    const biwa::Micros end = last ? options_.until : start_ + day_ * kDay;
    const auto later = std::partition(pending_.begin(), pending_.end(), [&](const Answer& answer) {
        return answer.answered_at < end;
    });
    answers.assign(pending_.begin(), later);
    pending_.erase(pending_.begin(), later);
    std::sort(answers.begin(), answers.end(), by_time);
    return true;
}

}  // namespace juku
