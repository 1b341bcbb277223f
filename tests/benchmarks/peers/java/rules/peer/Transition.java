package peer;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Map;

/** An enter or an exit, as the worker publishes it, apart from its evidence. */
record Transition(
    String messageId,
    String type,
    String userId,
    String event,
    String timestamp,
    Map<String, Object> properties,
    Context context) {

    record Context(Segment segment) {}

    record Segment(
        int version,
        int sequence,
        String reason,
        String cause,
        @JsonProperty("member_for_ms") Long memberForMs) {}
}
