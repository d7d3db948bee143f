#include "quantize/processor.h"

#include "fusekit/engine.h"

namespace fusekit::quantize {

bool saturates() {
  const EngineFacts facts = engine_facts();
  return fusekit::saturates(facts.standing, facts);
}

}  // namespace fusekit::quantize
