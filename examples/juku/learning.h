// How a pupil learns, forgets and answers.
//
// An answer follows the two-parameter logistic item response model (A. Birnbaum, in Lord and
// Novick, "Statistical Theories of Mental Test Scores", 1968): P(correct) = 1 / (1 + e^(-a(θ - b)))
// with the pupil's ability θ and the problem's difficulty b and discrimination a.
//
// θ is talent and practice. Practice counts answers, a right one for more than a wrong one, as in
// performance factors analysis (Pavlik, Cen and Koedinger, AIED 2009), with returns that diminish
// (the power law of practice, Newell and Rosenbloom 1981), and it halves with time that passes
// (half-life regression, Settles and Meeder, ACL 2016).
//
// The logarithm of the response time is normal and grows with difficulty and falls with ability and
// speed (W. van der Linden, "A Lognormal Model for Response Times on Test Items", 2006).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "juku/curriculum.h"
#include "juku/random.h"

namespace juku {

inline constexpr double kHalfLifeDays = 21;
inline constexpr double kPracticeOfRight = 1.0;
inline constexpr double kPracticeOfWrong = 0.6;

enum class ProblemFormat : std::uint8_t { kChoice, kNumber, kText };

struct Problem {
    float difficulty;
    float discrimination;
    ProblemFormat format;
    std::int16_t points_tenths;
};

Problem MakeProblem(std::uint64_t seed, int problem);

// What does not change about a pupil. It follows from the pupil's public id alone, so that the live
// workload meets the same pupils as the history.
struct Traits {
    Traits(std::uint64_t public_id_high, std::uint64_t public_id_low);

    std::array<float, kSubjects> talent;
    float diligence;  // log-normal around 1
    float speed;
    float peak_hour;            // when the pupil likes to study
    std::uint8_t weekdays_off;  // bit 0 is Sunday: piano, football
};

// What the pupil has gained by practice in one subject and not yet forgotten.
class Practice {
  public:
    Practice() = default;
    Practice(double amount, biwa::Micros at) : amount_(static_cast<float>(amount)), at_(at) {}

    double At(biwa::Micros now) const;
    void Add(bool correct, biwa::Micros now);

  private:
    float amount_ = 0;
    biwa::Micros at_ = 0;
};

double Ability(double talent, double practice);
double ChanceOfRight(double ability, const Problem& problem);

struct Response {
    bool correct;
    std::int32_t milliseconds;
};
Response Respond(Random& random, const Traits& traits, double ability, int subject,
                 const Problem& problem);

// A unit that a pupil of the grade studies now: mostly where the class is, some weeks behind, at
// times of the year before.
int ChooseUnit(Random& random, int grade, double school_year_progress);
// A problem of the unit that is neither too hard nor too easy.
int ChooseProblem(Random& random, int unit, double ability, const std::vector<Problem>& problems);

}  // namespace juku
