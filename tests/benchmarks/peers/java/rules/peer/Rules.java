package peer;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** Segments from the benchmark's JSON, and how one event moves a contact. Used by several threads: it keeps nothing. */
final class Rules {
    private static final long NEVER = Long.MIN_VALUE;
    private static final DateTimeFormatter MOMENT =
        DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final Touch NOTHING = new Touch(new Feature[0], new int[0]);

    /** One condition: on a count, on a sum, or on a text. */
    private record Test(Feature feature, long atLeast, long withinMs, String is) {}

    private record Segment(String key, Test[] tests) {}

    /** What events of one name change, and which segments may follow. */
    private record Touch(Feature[] features, int[] segments) {}

    private final Feature[] features;
    private final Segment[] segments;
    private final Map<String, Touch> touches = new HashMap<>();
    private final Touch anyEvent;

    private Rules(Feature[] features, Segment[] segments) {
        this.features = features;
        this.segments = segments;
        for (Feature feature : features) {
            for (String event : feature.events()) {
                touches.computeIfAbsent(event, this::touch);
            }
        }
        anyEvent = touches.getOrDefault("*", NOTHING);
    }

    static Rules read(Path file) throws IOException {
        JsonNode root = Json.MAPPER.readTree(file.toFile());
        List<Feature> features = new ArrayList<>();
        for (JsonNode node : root.get("features")) {
            features.add(new Feature(
                Feature.Kind.valueOf(node.get("kind").asText().toUpperCase()),
                features.size(),
                texts(node.get("events")),
                texts(node.path("path")).toArray(String[]::new),
                node.path("newest").asInt(),
                node.path("within_ms").asLong()));
        }
        List<Segment> segments = new ArrayList<>();
        for (JsonNode node : root.get("segments")) {
            List<Test> tests = new ArrayList<>();
            for (JsonNode test : node.get("tests")) {
                tests.add(new Test(
                    features.get(test.get("feature").asInt()),
                    test.path("at_least").asLong(),
                    test.path("within_ms").asLong(),
                    test.path("is").asText()));
            }
            segments.add(new Segment(node.get("key").asText(), tests.toArray(Test[]::new)));
        }
        return new Rules(features.toArray(Feature[]::new), segments.toArray(Segment[]::new));
    }

    private static List<String> texts(JsonNode list) {
        List<String> found = new ArrayList<>();
        list.forEach(node -> found.add(node.asText()));
        return found;
    }

    private Touch touch(String event) {
        Feature[] touched = Arrays.stream(features)
            .filter(feature -> feature.events().contains(event) || feature.events().contains("*"))
            .toArray(Feature[]::new);
        List<Feature> all = Arrays.asList(touched);
        List<Integer> readers = new ArrayList<>();
        for (int number = 0; number < segments.length; number++) {
            if (Arrays.stream(segments[number].tests()).anyMatch(test -> all.contains(test.feature()))) {
                readers.add(number);
            }
        }
        return new Touch(touched, readers.stream().mapToInt(Integer::intValue).toArray());
    }

    int featureCount() {
        return features.length;
    }

    /** Takes one event of a contact; transitions are added to {@code out} in the order in which they happen. */
    void take(Contact contact, Event event, long receivedMs, List<Transition> out) {
        passTime(contact, event.userId(), receivedMs, out);
        boolean isNew = contact.isNew(event.messageId());
        contact.nowMs = Math.max(contact.nowMs, receivedMs);
        if (!isNew) {
            return;
        }
        long nowMs = contact.nowMs;
        long timeMs = Math.min(Instant.parse(event.timestamp()).toEpochMilli(), receivedMs);
        Touch touch = touches.getOrDefault(event.event(), anyEvent);
        for (Feature feature : touch.features()) {
            feature.fold(contact, event, timeMs, nowMs);
        }
        for (int number : judged(contact, touch.segments(), nowMs)) {
            long untilMs = holdsUntilMs(contact, segments[number], nowMs);
            Contact.Standing standing = contact.standing(number);
            boolean isMember = standing != null && standing.isMember();
            if (isMember != (untilMs != NEVER)) {
                standing = standing == null ? contact.newStanding(number) : standing;
                out.add(turn(event.userId(), standing, nowMs, "event", event.messageId()));
            }
            if (untilMs != NEVER) {
                standing.untilMs = untilMs;
            }
        }
    }

    /** Memberships that have ended before a moment: each as of its own, in order. */
    private void passTime(Contact contact, String id, long receivedMs, List<Transition> out) {
        while (true) {
            Contact.Standing first = null;
            for (Contact.Standing each : contact.standings) {
                if (each.isMember() && each.untilMs < receivedMs && (first == null || each.untilMs < first.untilMs)) {
                    first = each;
                }
            }
            if (first == null) {
                return;
            }
            contact.nowMs = first.untilMs;
            out.add(turn(id, first, first.untilMs, "time", null));
        }
    }

    /** The segments that an event touches, and those whose time is up with it, in order. */
    private int[] judged(Contact contact, int[] touched, long nowMs) {
        int[] more = touched;
        for (Contact.Standing each : contact.standings) {
            if (each.isMember() && each.untilMs <= nowMs && Arrays.binarySearch(more, each.segment) < 0) {
                more = Arrays.copyOf(more, more.length + 1);
                more[more.length - 1] = each.segment;
                Arrays.sort(more);
            }
        }
        return more;
    }

    /** Until when the condition holds if nothing happens; NEVER: it does not. */
    private static long holdsUntilMs(Contact contact, Segment segment, long nowMs) {
        long untilMs = Long.MAX_VALUE;
        for (Test test : segment.tests()) {
            long own = switch (test.feature().kind()) {
                case COUNT -> countUntilMs(contact.times[test.feature().number()], test, nowMs);
                case SUM -> sumUntilMs(contact, test, nowMs);
                case LATEST -> test.is().equals(contact.texts[test.feature().number()]) ? Long.MAX_VALUE : NEVER;
            };
            if (own == NEVER) {
                return NEVER;
            }
            untilMs = Math.min(untilMs, own);
        }
        return untilMs;
    }

    private static long countUntilMs(long[] times, Test test, long nowMs) {
        if (times == null || times.length < test.atLeast()) {
            return NEVER;
        }
        long untilMs = times[times.length - (int) test.atLeast()] + test.withinMs();
        return untilMs > nowMs ? untilMs : NEVER;
    }

    private static long sumUntilMs(Contact contact, Test test, long nowMs) {
        long[] times = contact.times[test.feature().number()];
        if (times == null) {
            return NEVER;
        }
        long[] amounts = contact.amounts[test.feature().number()];
        long sum = 0;
        for (int place = times.length - 1; place >= 0; place--) {
            long leavesMs = times[place] + test.withinMs();
            if (leavesMs <= nowMs) {
                return NEVER;
            }
            sum += amounts[place];
            if (sum >= test.atLeast()) {
                return leavesMs;
            }
        }
        return NEVER;
    }

    private Transition turn(String id, Contact.Standing standing, long atMs, String reason, String cause) {
        String key = segments[standing.segment].key();
        long sinceMs = standing.sinceMs;
        standing.sinceMs = atMs;
        standing.sequence++;
        boolean entered = standing.isMember();
        return new Transition(
            messageId(id, key, standing.sequence),
            "track",
            id,
            entered ? "Audience Entered" : "Audience Exited",
            MOMENT.format(Instant.ofEpochMilli(atMs)),
            Map.of("audience_key", key, key, entered),
            new Transition.Context(new Transition.Segment(
                1, standing.sequence, reason, cause, entered ? null : atMs - sinceMs)));
    }

    private static String messageId(String id, String segment, int sequence) {
        try {
            byte[] said = (id + "\n" + segment + "\n" + sequence).getBytes(StandardCharsets.UTF_8);
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(said);
            return HexFormat.of().formatHex(hash, 0, 16);
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
