#include "juku/learning.h"

#include <algorithm>
#include <cmath>

#include "juku/calendar.h"

namespace juku {
namespace {

enum Kind : std::uint64_t { kUnitNumbers = 101, kProblemNumbers, kTraitNumbers };

}  // namespace

Problem MakeProblem(std::uint64_t seed, int problem) {
    Random unit =
        Random::For(seed, kUnitNumbers, static_cast<std::uint64_t>(UnitOfProblem(problem)));
    Random random = Random::For(seed, kProblemNumbers, static_cast<std::uint64_t>(problem));
    const double difficulty = 0.45 * unit.Normal() + 0.7 * random.Normal();
    const double discrimination = std::exp(0.1 + 0.25 * random.Normal());
    // To three digits, as the database keeps them.
    const auto rounded = [](double value) {
        return static_cast<float>(std::round(value * 1000) / 1000);
    };
    const int format = random.Below(10);
    return {rounded(std::clamp(difficulty, -3.0, 3.0)),
            rounded(std::clamp(discrimination, 0.4, 2.5)),
            format < 5   ? ProblemFormat::kChoice
            : format < 8 ? ProblemFormat::kNumber
                         : ProblemFormat::kText,
            static_cast<std::int16_t>(format < 5 ? 10 : 10 + 5 * random.Below(5))};
}

Traits::Traits(std::uint64_t public_id_high, std::uint64_t public_id_low) {
    Random random = Random::For(public_id_high, kTraitNumbers, public_id_low);
    const double general = 0.75 * random.Normal();
    for (auto& value : talent) value = static_cast<float>(general + 0.55 * random.Normal());
    diligence = static_cast<float>(std::exp(0.6 * random.Normal()));
    speed = static_cast<float>(0.2 * random.Normal());
    peak_hour = static_cast<float>(18.5 + 2.2 * random.Normal());
    weekdays_off = static_cast<std::uint8_t>(1u << random.Below(7) | 1u << random.Below(7));
}

double Practice::At(biwa::Micros now) const {
    const double days = static_cast<double>(std::max<biwa::Micros>(0, now - at_)) / kDay;
    return amount_ * std::exp2(-days / kHalfLifeDays);
}

void Practice::Add(bool correct, biwa::Micros now) {
    amount_ = static_cast<float>(At(now) + (correct ? kPracticeOfRight : kPracticeOfWrong));
    at_ = std::max(at_, now);
}

double Ability(double talent, double practice) { return talent + 0.35 * std::log1p(practice); }

double ChanceOfRight(double ability, const Problem& problem) {
    return 1.0 / (1.0 + std::exp(-problem.discrimination * (ability - problem.difficulty)));
}

Response Respond(Random& random, const Traits& traits, double ability, int subject,
                 const Problem& problem) {
    const bool correct = random.Chance(ChanceOfRight(ability, problem));
    const double log_seconds = kCurriculum[static_cast<std::size_t>(subject)].log_seconds +
                               0.22 * problem.difficulty - 0.12 * ability - traits.speed +
                               0.45 * random.Normal();
    const double seconds = std::clamp(std::exp(log_seconds), 1.2, 900.0);
    return {correct, static_cast<std::int32_t>(seconds * 1000)};
}

int ChooseUnit(Random& random, int grade, double school_year_progress) {
    constexpr std::array<double, kSubjects> kShares = {0.17, 0.34, 0.25, 0.13, 0.11};
    double draw = random.Uniform();
    int subject = 0;
    while (subject + 1 < kSubjects && (draw -= kShares[static_cast<std::size_t>(subject)]) >= 0) {
        ++subject;
    }
    if (grade > kGradeMin && random.Chance(0.08)) {
        return UnitOf(subject, grade - 1, random.Below(kUnitsPerGrade));
    }
    const double weeks_behind = -4.0 * std::log(1.0 - random.Uniform());
    const double at = (school_year_progress - weeks_behind / 52) * kUnitsPerGrade;
    return UnitOf(subject, grade, std::clamp(static_cast<int>(at), 0, kUnitsPerGrade - 1));
}

int ChooseProblem(Random& random, int unit, double ability, const std::vector<Problem>& problems) {
    const auto unfit = [&](int problem) {
        return std::abs(problems[static_cast<std::size_t>(problem)].difficulty - (ability - 0.9));
    };
    const int one = unit * kProblemsPerUnit + random.Below(kProblemsPerUnit);
    const int other = unit * kProblemsPerUnit + random.Below(kProblemsPerUnit);
    return unfit(one) <= unfit(other) ? one : other;
}

}  // namespace juku
