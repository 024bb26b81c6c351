/* A library with the interface of NVIDIA's NVML that plays a script instead of asking a driver.
 *
 * Twin of the Python stand-in beside it: the same answers from the same tables, computed in the
 * same order, so that both give the same numbers. The script is a text of words separated by
 * blanks (script.py writes it); it is named by TOKONOMY_SCRIPTED_NVML or given to scripted_load.
 * Names and signatures are those of nvml.h. Handles are numbers that point nowhere.
 */
#include <limits.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7, TIMEOUT = 10, LIBRARY_NOT_FOUND = 12, GPU_IS_LOST = 15,
    ARGUMENT_VERSION_MISMATCH = 25
};
enum { FIRST_DEVICE = 0x5C0000, FIRST_SET = 0x5E0000, EVENT_SETS = 16, WORD = 256 };
enum { MEMORY_V2 = 0x02000028, TEMPERATURE_V1 = 0x0100000C, UNSIGNED_INT = 1, SCOPE_MODULE = 1 };

typedef void *Handle;
typedef long long Nanoseconds;
typedef unsigned long long Wide;

/* The script. */

typedef struct { double at, value; } Point;
typedef struct { int ramps, count; double period; Point *points; } Course;
typedef struct { char function[WORD], text[WORD]; } Text;
typedef struct { char function[WORD]; int inputs, slot; Course course; } Value;
typedef struct { unsigned id, scope; int code, type; char source[WORD]; Course course; } Field;
typedef struct { int pid; long long used; char kind[WORD], name[WORD]; Nanoseconds from, until; } Process;
typedef struct { Nanoseconds at; Wide kind, data; int device; } Event;
typedef struct { char function[WORD]; int code, gpu; Nanoseconds from, until; } Fault;
typedef struct {
    int there, resets;
    Nanoseconds tick, phase, sensor, seen, average, usage, *reset;
    long long start;
    double scale;
    Course power;
} Meter;
typedef struct {
    int gpu, is_slice, counts, texts, values, fields, processes;
    Nanoseconds lost, cost;
    Text *text;
    Value *value;
    Field *field;
    Process *process;
    Meter meter, module;
} Device;
typedef struct { int device; Wide kinds; Nanoseconds since; } Registration;
typedef struct { int used, told, count; Registration *registration; } Set;

static struct {
    int loaded, users, cuda, devices, gpus, faults, events;
    char driver[WORD], nvml[WORD];
    Nanoseconds start; /* of the monotonic clock; -1 until the first nvmlInit */
    Device *device;
    Fault *fault;
    Event *event; /* in order of time, then of device */
    Set set[EVENT_SETS];
    Nanoseconds (*now)(void); /* a clock that stands for the real one */
    void (*wait)(Nanoseconds);
} script = {.start = -1};

#define GROW(array, count) \
    ((array) = realloc((array), (size_t)((count) + 1) * sizeof *(array)), \
     memset(&(array)[count], 0, sizeof *(array)), &(array)[(count)++])

/* Time. */

static Nanoseconds clock_ns(void)
{
    struct timespec now;
    if (script.now)
        return script.now();
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static Nanoseconds now_ns(void) { return clock_ns() - script.start; }

static void pass(Nanoseconds time)
{
    if (time <= 0)
        return;
    if (script.wait) {
        script.wait(time);
        return;
    }
    struct timespec rest = {time / 1000000000LL, time % 1000000000LL};
    while (nanosleep(&rest, &rest))
        ;
}

/* Quantities over time: as in course.py. */

static double value_at(const Course *course, double seconds)
{
    double local = course->period > 0 ? fmod(seconds, course->period) : seconds;
    int last = 0;
    while (last + 1 < course->count && course->points[last + 1].at <= local)
        last++;
    Point low = course->points[last];
    if (!course->ramps || last + 1 == course->count)
        return low.value;
    Point high = course->points[last + 1];
    return low.value + (high.value - low.value) * ((local - low.at) / (high.at - low.at));
}

static long long whole_at(const Course *course, Nanoseconds now)
{
    return (long long)floor(value_at(course, (double)now / 1e9) + 0.5);
}

static double once(const Course *course, double seconds)
{
    double total = 0.0;
    for (int i = 0; i < course->count && course->points[i].at < seconds; i++) {
        Point low = course->points[i];
        int final = i + 1 == course->count;
        double until = final || course->points[i + 1].at > seconds ? seconds : course->points[i + 1].at;
        if (course->ramps && !final && course->points[i + 1].at > low.at) {
            Point high = course->points[i + 1];
            double reach = (until - low.at) / (high.at - low.at);
            total += (until - low.at) * (low.value + (high.value - low.value) * reach * 0.5);
        } else {
            total += (until - low.at) * low.value;
        }
    }
    return total;
}

static double integral(const Course *course, double seconds)
{
    if (!(course->period > 0))
        return once(course, seconds);
    double local = fmod(seconds, course->period);
    double periods = floor((seconds - local) / course->period + 0.5);
    return periods * once(course, course->period) + once(course, local);
}

/* The energy counter and the power sensor: as in meter.py. */

static double between(const Meter *meter, Nanoseconds since, Nanoseconds until)
{
    return integral(&meter->power, (double)until / 1e9) - integral(&meter->power, (double)since / 1e9);
}

static Wide counter_mj(const Meter *meter, Nanoseconds now)
{
    Nanoseconds tick = 0, since = 0;
    double start = (double)meter->start;
    if (now >= meter->phase)
        tick = meter->phase + (now - meter->phase) / meter->tick * meter->tick;
    for (int i = 0; i < meter->resets; i++)
        if (meter->reset[i] <= now) {
            start = 0.0;
            since = meter->reset[i];
        }
    if (tick <= since)
        return (Wide)floor(start);
    return (Wide)floor(start + between(meter, since, tick));
}

static long long power_mw(const Meter *meter, Nanoseconds now, Nanoseconds window)
{
    Nanoseconds until = now / meter->sensor * meter->sensor;
    Nanoseconds since = until > window ? until - window : 0;
    double mean;
    if (since == until)
        mean = value_at(&meter->power, (double)until / 1e9);
    else
        mean = between(meter, since, until) / ((double)(until - since) / 1e9);
    return (long long)floor(mean * meter->scale + 0.5);
}

/* Reading the script. */

static int failed; /* a word did not read */

static void get_word(FILE *file, char *out)
{
    char raw[3 * WORD];
    size_t length = 0;
    unsigned byte;
    if (fscanf(file, "%767s", raw) != 1) {
        failed = 1;
        raw[0] = 0;
    }
    for (char *in = raw; *in && length + 1 < WORD; in++) {
        if (*in == '%' && sscanf(in + 1, "%2x", &byte) == 1) {
            out[length++] = (char)byte;
            in += 2;
        } else {
            out[length++] = *in;
        }
    }
    out[length] = 0;
}

static long long get_whole(FILE *file)
{
    char word[WORD];
    get_word(file, word);
    return strtoll(word, NULL, 10);
}

static double get_real(FILE *file)
{
    char word[WORD];
    get_word(file, word);
    return strtod(word, NULL);
}

static Course get_course(FILE *file)
{
    Course course = {.ramps = (int)get_whole(file), .period = get_real(file)};
    int count = (int)get_whole(file);
    while (course.count < count && !failed) {
        Point *point = GROW(course.points, course.count);
        point->at = get_real(file);
        point->value = get_real(file);
    }
    return course;
}

static void get_meter(FILE *file, Device *device)
{
    Meter *meter = get_whole(file) ? &device->module : &device->meter;
    meter->there = 1;
    meter->tick = get_whole(file);
    meter->phase = get_whole(file);
    meter->start = get_whole(file);
    meter->sensor = get_whole(file);
    meter->seen = get_whole(file);
    meter->average = get_whole(file);
    meter->usage = get_whole(file);
    meter->scale = get_real(file);
    int resets = (int)get_whole(file);
    while (meter->resets < resets && !failed)
        *GROW(meter->reset, meter->resets) = get_whole(file);
    meter->power = get_course(file);
}

static void get_device(FILE *file)
{
    Device *device = GROW(script.device, script.devices);
    device->gpu = (int)get_whole(file);
    device->is_slice = (int)get_whole(file);
    device->lost = get_whole(file);
    device->cost = get_whole(file);
    device->counts = (int)get_whole(file);
    script.gpus += !device->is_slice;
}

static void get_event(FILE *file, int device)
{
    Event event = {.at = get_whole(file)};
    event.kind = (Wide)get_whole(file);
    event.data = (Wide)get_whole(file);
    event.device = device;
    GROW(script.event, script.events);
    int place = script.events - 1;
    for (; place > 0 && script.event[place - 1].at > event.at; place--)
        script.event[place] = script.event[place - 1];
    script.event[place] = event;
}

static void get_process(FILE *file, Device *device)
{
    Process *process = GROW(device->process, device->processes);
    process->pid = (int)get_whole(file);
    process->used = get_whole(file);
    get_word(file, process->kind);
    process->from = get_whole(file);
    process->until = get_whole(file);
    get_word(file, process->name);
}

static void get_field(FILE *file, Device *device)
{
    Field *field = GROW(device->field, device->fields);
    field->id = (unsigned)get_whole(file);
    field->scope = (unsigned)get_whole(file);
    field->code = (int)get_whole(file);
    field->type = (int)get_whole(file);
    get_word(file, field->source);
    field->course = get_course(file);
}

static void get_fault(FILE *file)
{
    Fault *fault = GROW(script.fault, script.faults);
    get_word(file, fault->function);
    fault->code = (int)get_whole(file);
    fault->from = get_whole(file);
    fault->until = get_whole(file);
    fault->gpu = (int)get_whole(file);
}

static void get_text(FILE *file, Device *device)
{
    Text *text = GROW(device->text, device->texts);
    get_word(file, text->function);
    get_word(file, text->text);
}

static void get_value(FILE *file, Device *device)
{
    Value *value = GROW(device->value, device->values);
    get_word(file, value->function);
    value->inputs = (int)get_whole(file);
    value->slot = (int)get_whole(file);
    value->course = get_course(file);
}

static int get_entry(FILE *file, const char *word)
{
    Device *device = script.devices ? &script.device[script.devices - 1] : NULL;
    if (!strcmp(word, "start")) script.start = get_whole(file);
    else if (!strcmp(word, "driver")) get_word(file, script.driver);
    else if (!strcmp(word, "nvml")) get_word(file, script.nvml);
    else if (!strcmp(word, "cuda")) script.cuda = (int)get_whole(file);
    else if (!strcmp(word, "fault")) get_fault(file);
    else if (!strcmp(word, "device")) get_device(file);
    else if (!device) return 0;
    else if (!strcmp(word, "text")) get_text(file, device);
    else if (!strcmp(word, "value")) get_value(file, device);
    else if (!strcmp(word, "meter")) get_meter(file, device);
    else if (!strcmp(word, "field")) get_field(file, device);
    else if (!strcmp(word, "process")) get_process(file, device);
    else if (!strcmp(word, "event")) get_event(file, script.devices - 1);
    else return 0;
    return !failed;
}

static void forget(void)
{
    for (int i = 0; i < script.devices; i++) {
        Device *device = &script.device[i];
        for (int j = 0; j < device->values; j++)
            free(device->value[j].course.points);
        for (int j = 0; j < device->fields; j++)
            free(device->field[j].course.points);
        free(device->meter.reset);
        free(device->module.reset);
        free(device->meter.power.points);
        free(device->module.power.points);
        free(device->text);
        free(device->value);
        free(device->field);
        free(device->process);
    }
    for (int i = 0; i < EVENT_SETS; i++)
        free(script.set[i].registration);
    free(script.device);
    free(script.fault);
    free(script.event);
    memset(&script, 0, sizeof script);
    script.start = -1;
}

/* Read a script instead of the one before; 0 if that went well. */
EXPORT int scripted_load(const char *path)
{
    char word[WORD];
    FILE *file = fopen(path, "r");
    forget();
    if (!file)
        return LIBRARY_NOT_FOUND;
    failed = 0;
    get_word(file, word);
    int good = !failed && !strcmp(word, "tokonomy-scripted-nvml") && get_whole(file) == 1;
    while (good) {
        get_word(file, word);
        if (!strcmp(word, "end"))
            break;
        good = !failed && get_entry(file, word);
    }
    fclose(file);
    script.loaded = good;
    return good ? SUCCESS : LIBRARY_NOT_FOUND;
}

/* Take time from somewhere else; NULL for the real clock. */
EXPORT void scripted_clock(Nanoseconds (*now)(void), void (*wait)(Nanoseconds))
{
    script.now = now;
    script.wait = wait;
}

/* What every function asks first: as in player.py. */

static Device *device_of(Handle handle)
{
    long place = (long)handle - FIRST_DEVICE;
    return place >= 0 && place < script.devices ? &script.device[place] : NULL;
}

static Handle handle_of(const Device *device) { return (Handle)(FIRST_DEVICE + (device - script.device)); }

static int fault_of(const char *function, const Device *device)
{
    Nanoseconds now = now_ns();
    for (int i = 0; i < script.faults; i++) {
        const Fault *fault = &script.fault[i];
        int named = !strcmp(fault->function, function) || (!strcmp(fault->function, "*") && device);
        int here = fault->gpu < 0 || (device && fault->gpu == device->gpu);
        int over = fault->until >= 0 && now >= fault->until;
        if (named && here && now >= fault->from && !over)
            return fault->code;
    }
    return SUCCESS;
}

static int is_lost(const Device *device) { return device->lost >= 0 && now_ns() >= device->lost; }

/* Of a function that takes no device. */
static int enter(const char *function) { return script.users ? fault_of(function, NULL) : UNINITIALIZED; }

static int enter_device(const char *function, const Device *device)
{
    if (!script.users)
        return UNINITIALIZED;
    if (!device)
        return INVALID_ARGUMENT;
    if (is_lost(device))
        return GPU_IS_LOST;
    return fault_of(function, device);
}

static int enter_costly(const char *function, const Device *device)
{
    if (script.users && device)
        pass(device->cost);
    return enter_device(function, device);
}

/* Whether the table has a number, which goes to out. */
static int answer(const Device *device, const char *function, int inputs, int slot, long long *out)
{
    for (int i = 0; i < device->values; i++) {
        const Value *value = &device->value[i];
        if (value->inputs == inputs && value->slot == slot && !strcmp(value->function, function)) {
            *out = whole_at(&value->course, now_ns());
            return 1;
        }
    }
    return 0;
}

static const char *text_of(const Device *device, const char *function)
{
    for (int i = 0; i < device->texts; i++)
        if (!strcmp(device->text[i].function, function))
            return device->text[i].text;
    return NULL;
}

static int write_text(char *buffer, unsigned length, const char *text)
{
    if (strlen(text) + 1 > length)
        return INSUFFICIENT_SIZE;
    strcpy(buffer, text);
    return SUCCESS;
}

/* Functions that are answered from a table. */

static int scalar(const char *function, Handle handle, int inputs, long long *out, int outputs)
{
    const Device *device = device_of(handle);
    int code = enter_device(function, device);
    for (int slot = 0; slot < outputs && !code; slot++)
        if (!answer(device, function, inputs, slot, &out[slot]))
            code = NOT_SUPPORTED;
    return code;
}

#define STORE(name, type, inputs) \
    long long found; \
    int code = scalar(#name, device, (int)(inputs), &found, 1); \
    if (!code) \
        *out = (type)found; \
    return code;
#define NUMBER(name) EXPORT int name(Handle device, unsigned *out) { STORE(name, unsigned, 0) }
#define BITS(name) EXPORT int name(Handle device, Wide *out) { STORE(name, Wide, 0) }
#define CHOICE(name) \
    EXPORT int name(Handle device, unsigned a, unsigned *out) { STORE(name, unsigned, a) }
#define TWO(name) \
    EXPORT int name(Handle device, unsigned *first, unsigned *second) \
    { \
        long long found[2]; \
        int code = scalar(#name, device, 0, found, 2); \
        if (!code) { \
            *first = (unsigned)found[0]; \
            *second = (unsigned)found[1]; \
        } \
        return code; \
    }
#define TEXT(name) \
    EXPORT int name(Handle handle, char *buffer, unsigned length) \
    { \
        const Device *device = device_of(handle); \
        int code = enter_device(#name, device); \
        if (code) \
            return code; \
        const char *text = text_of(device, #name); \
        return text ? write_text(buffer, length, text) : NOT_SUPPORTED; \
    }

NUMBER(nvmlDeviceGetIndex)
NUMBER(nvmlDeviceGetMinorNumber)
NUMBER(nvmlDeviceGetBrand)
NUMBER(nvmlDeviceGetArchitecture)
NUMBER(nvmlDeviceGetNumGpuCores)
NUMBER(nvmlDeviceGetComputeMode)
NUMBER(nvmlDeviceGetPersistenceMode)
NUMBER(nvmlDeviceGetVirtualizationMode)
NUMBER(nvmlDeviceGetMaxMigDeviceCount)
NUMBER(nvmlDeviceGetGpuInstanceId)
NUMBER(nvmlDeviceGetComputeInstanceId)
NUMBER(nvmlDeviceGetPowerManagementMode)
NUMBER(nvmlDeviceGetPowerManagementLimit)
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit)
NUMBER(nvmlDeviceGetEnforcedPowerLimit)
NUMBER(nvmlDeviceGetPerformanceState)
NUMBER(nvmlDeviceGetPowerState)
BITS(nvmlDeviceGetCurrentClocksEventReasons)
BITS(nvmlDeviceGetCurrentClocksThrottleReasons)
BITS(nvmlDeviceGetSupportedClocksEventReasons)
BITS(nvmlDeviceGetSupportedClocksThrottleReasons)
BITS(nvmlDeviceGetSupportedEventTypes)
CHOICE(nvmlDeviceGetClockInfo)
CHOICE(nvmlDeviceGetMaxClockInfo)
CHOICE(nvmlDeviceGetApplicationsClock)
CHOICE(nvmlDeviceGetDefaultApplicationsClock)
CHOICE(nvmlDeviceGetTemperature)
CHOICE(nvmlDeviceGetTemperatureThreshold)
TWO(nvmlDeviceGetCudaComputeCapability)
TWO(nvmlDeviceGetMigMode)
TWO(nvmlDeviceGetEccMode)
TWO(nvmlDeviceGetPowerManagementLimitConstraints)
TEXT(nvmlDeviceGetName)
TEXT(nvmlDeviceGetUUID)
TEXT(nvmlDeviceGetVbiosVersion)
TEXT(nvmlDeviceGetSerial)

EXPORT int nvmlDeviceGetClock(Handle device, unsigned kind, unsigned which, unsigned *out)
{
    STORE(nvmlDeviceGetClock, unsigned, kind * 16 + which)
}

EXPORT int nvmlDeviceGetTotalEccErrors(Handle device, unsigned kind, unsigned span, Wide *out)
{
    STORE(nvmlDeviceGetTotalEccErrors, Wide, kind * 16 + span)
}

EXPORT int nvmlDeviceGetMemoryErrorCounter(
    Handle device, unsigned kind, unsigned span, unsigned place, Wide *out)
{
    STORE(nvmlDeviceGetMemoryErrorCounter, Wide, (kind * 16 + span) * 16 + place)
}

/* The library and the system. */

EXPORT int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    const char *path = getenv("TOKONOMY_SCRIPTED_NVML");
    if (!script.loaded && (!path || scripted_load(path)))
        return LIBRARY_NOT_FOUND;
    if (script.start < 0)
        script.start = clock_ns();
    int code = fault_of("nvmlInitWithFlags", NULL);
    script.users += !code;
    return code;
}

EXPORT int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

EXPORT int nvmlShutdown(void)
{
    int code = enter("nvmlShutdown");
    script.users -= !code;
    return code;
}

EXPORT const char *nvmlErrorString(int code)
{
    static const char *const texts[] = {
        "Success", "Uninitialized", "Invalid Argument", "Not Supported",
        "Insufficient Permissions", "Already Initialized", "Not Found", "Insufficient Size",
        "Insufficient External Power", "Driver Not Loaded", "Timeout", "Interrupt Request Issue",
        "NVML Shared Library Not Found", "Function Not Found", "Corrupted infoROM", "GPU is lost",
        "GPU requires restart", "The operating system has blocked the request.",
        "RM has detected an NVML/RM version mismatch."};
    int known = code >= 0 && code < (int)(sizeof texts / sizeof *texts);
    return known ? texts[code] : "Unknown Error";
}

static int system_text(const char *function, char *buffer, unsigned length, const char *text)
{
    int code = enter(function);
    return code ? code : write_text(buffer, length, text);
}

EXPORT int nvmlSystemGetDriverVersion(char *buffer, unsigned length)
{
    return system_text("nvmlSystemGetDriverVersion", buffer, length, script.driver);
}

EXPORT int nvmlSystemGetNVMLVersion(char *buffer, unsigned length)
{
    return system_text("nvmlSystemGetNVMLVersion", buffer, length, script.nvml);
}

EXPORT int nvmlSystemGetCudaDriverVersion(int *version)
{
    int code = enter("nvmlSystemGetCudaDriverVersion");
    if (!code)
        *version = script.cuda;
    return code;
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    return nvmlSystemGetCudaDriverVersion(version);
}

EXPORT int nvmlSystemGetProcessName(unsigned pid, char *buffer, unsigned length)
{
    int code = enter("nvmlSystemGetProcessName");
    for (int i = 0; i < script.devices && !code; i++)
        for (int j = 0; j < script.device[i].processes; j++) {
            const Process *process = &script.device[i].process[j];
            if (process->pid >= 0 && (unsigned)process->pid == pid)
                return write_text(buffer, length, process->name);
        }
    return code ? code : NOT_FOUND;
}

/* Devices. */

EXPORT int nvmlDeviceGetCount_v2(unsigned *count)
{
    int code = enter("nvmlDeviceGetCount_v2");
    if (!code)
        *count = (unsigned)script.gpus;
    return code;
}

/* Give out the handle of a device that was looked for. */
static int hand(const char *function, const Device *found, Handle *out)
{
    int code = enter(function);
    if (code || !found)
        return code ? code : NOT_FOUND;
    code = enter_device(function, found);
    if (!code)
        *out = handle_of(found);
    return code;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, Handle *out)
{
    if (script.users && index >= (unsigned)script.gpus)
        return INVALID_ARGUMENT;
    return hand("nvmlDeviceGetHandleByIndex_v2", script.users ? &script.device[index] : NULL, out);
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, Handle *out)
{
    const Device *found = NULL;
    for (int i = script.devices - 1; i >= 0; i--)
        if (!strcmp(text_of(&script.device[i], "nvmlDeviceGetUUID"), uuid))
            found = &script.device[i];
    return hand("nvmlDeviceGetHandleByUUID", found, out);
}

#define HEX "[0-9a-fA-F]{1,8}"
static const char BUS_ID[] = "^((" HEX "):)?(" HEX "):(" HEX ")([.]" HEX ")?$";

/* Domain, bus and device of a bus id, [domain:]bus:device[.function]; whether it is one. */
static int location(const char *bus, unsigned out[3])
{
    regex_t form;
    regmatch_t found[5];
    if (regcomp(&form, BUS_ID, REG_EXTENDED))
        return 0;
    int known = !regexec(&form, bus, 5, found, 0);
    regfree(&form);
    for (int part = 0; part < 3 && known; part++) {
        long at = found[part + 2].rm_so;
        out[part] = at < 0 ? 0 : (unsigned)strtoul(bus + at, NULL, 16);
    }
    return known;
}

EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, Handle *out)
{
    const Device *found = NULL;
    unsigned wanted[3], place[3];
    int known = location(bus, wanted);
    for (int i = script.devices - 1; i >= 0 && known; i--)
        if (location(text_of(&script.device[i], "nvmlDeviceGetPciInfo_v3"), place)
            && !memcmp(wanted, place, sizeof place))
            found = &script.device[i];
    return hand("nvmlDeviceGetHandleByPciBusId_v2", found, out);
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(Handle handle, unsigned index, Handle *out)
{
    const Device *owner = device_of(handle);
    int code = enter_device("nvmlDeviceGetMigDeviceHandleByIndex", owner);
    for (int i = 0; i < script.devices && !code && !owner->is_slice; i++)
        if (script.device[i].is_slice && script.device[i].gpu == owner->gpu && index-- == 0) {
            *out = handle_of(&script.device[i]);
            return SUCCESS;
        }
    return code ? code : NOT_FOUND;
}

EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Handle handle, Handle *out)
{
    const Device *device = device_of(handle);
    int code = enter_device("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", device);
    if (code || !device->is_slice)
        return code ? code : INVALID_ARGUMENT;
    *out = handle_of(&script.device[device->gpu]);
    return SUCCESS;
}

EXPORT int nvmlDeviceIsMigDeviceHandle(Handle handle, unsigned *out)
{
    const Device *device = device_of(handle);
    int code = enter_device("nvmlDeviceIsMigDeviceHandle", device);
    if (!code)
        *out = (unsigned)device->is_slice;
    return code;
}

typedef struct {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char text[32];
} Pci;

EXPORT int nvmlDeviceGetPciInfo_v3(Handle handle, Pci *out)
{
    const Device *device = device_of(handle);
    int code = enter_device("nvmlDeviceGetPciInfo_v3", device);
    unsigned place[3] = {0, 0, 0};
    if (code)
        return code;
    const char *text = text_of(device, "nvmlDeviceGetPciInfo_v3");
    location(text, place);
    memset(out, 0, sizeof *out);
    snprintf(out->legacy, sizeof out->legacy, "%04X:%02X:%02X.0", place[0], place[1], place[2]);
    snprintf(out->text, sizeof out->text, "%s", text);
    out->domain = place[0];
    out->bus = place[1];
    out->device = place[2];
    return SUCCESS;
}

/* Total, reserved and used bytes. */
static void memory_of(const Device *device, long long out[3])
{
    for (int slot = 0; slot < 3; slot++)
        if (!answer(device, "nvmlDeviceGetMemoryInfo", 0, slot, &out[slot]))
            out[slot] = 0;
}

typedef struct { Wide total, free, used; } Memory;
typedef struct { unsigned version; Wide total, reserved, free, used; } Memory2;

EXPORT int nvmlDeviceGetMemoryInfo(Handle handle, Memory *out)
{
    const Device *device = device_of(handle);
    int code = enter_device("nvmlDeviceGetMemoryInfo", device);
    long long bytes[3];
    if (code)
        return code;
    memory_of(device, bytes);
    out->total = (Wide)bytes[0];
    out->used = (Wide)(bytes[1] + bytes[2]);
    out->free = out->total - out->used;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetMemoryInfo_v2(Handle handle, Memory2 *out)
{
    const Device *device = device_of(handle);
    int code = enter_device("nvmlDeviceGetMemoryInfo_v2", device);
    long long bytes[3];
    if (code)
        return code;
    if (out->version != MEMORY_V2)
        return ARGUMENT_VERSION_MISMATCH;
    memory_of(device, bytes);
    out->total = (Wide)bytes[0];
    out->reserved = (Wide)bytes[1];
    out->used = (Wide)bytes[2];
    out->free = out->total - out->reserved - out->used;
    return SUCCESS;
}

typedef struct { unsigned gpu, memory; } Rates;

EXPORT int nvmlDeviceGetUtilizationRates(Handle handle, Rates *out)
{
    long long found[2];
    int code = scalar("nvmlDeviceGetUtilizationRates", handle, 0, found, 2);
    if (!code)
        *out = (Rates){(unsigned)found[0], (unsigned)found[1]};
    return code;
}

typedef struct { unsigned version, sensor; int temperature; } Temperature;

EXPORT int nvmlDeviceGetTemperatureV(Handle handle, Temperature *out)
{
    const Device *device = device_of(handle);
    int code = enter_device("nvmlDeviceGetTemperatureV", device);
    long long found;
    if (code)
        return code;
    if (out->version != TEMPERATURE_V1)
        return ARGUMENT_VERSION_MISMATCH;
    if (!answer(device, "nvmlDeviceGetTemperature", (int)out->sensor, 0, &found))
        return NOT_SUPPORTED;
    out->temperature = (int)found;
    return SUCCESS;
}

typedef struct { Wide reference_us, violation_ns; } Violation;

EXPORT int nvmlDeviceGetViolationStatus(Handle handle, unsigned policy, Violation *out)
{
    long long found;
    int code = scalar("nvmlDeviceGetViolationStatus", handle, (int)policy, &found, 1);
    if (!code)
        *out = (Violation){(Wide)(clock_ns() / 1000), (Wide)found};
    return code;
}

/* Power and energy. */

EXPORT int nvmlDeviceGetPowerUsage(Handle handle, unsigned *out)
{
    const Device *device = device_of(handle);
    int code = enter_costly("nvmlDeviceGetPowerUsage", device);
    if (code || !device->meter.there)
        return code ? code : NOT_SUPPORTED;
    *out = (unsigned)power_mw(&device->meter, now_ns(), device->meter.usage);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetTotalEnergyConsumption(Handle handle, Wide *out)
{
    const Device *device = device_of(handle);
    int code = enter_costly("nvmlDeviceGetTotalEnergyConsumption", device);
    if (code || !device->meter.there || !device->counts)
        return code ? code : NOT_SUPPORTED;
    *out = counter_mj(&device->meter, now_ns());
    return SUCCESS;
}

typedef struct {
    unsigned id, scope;
    long long timestamp, latency;
    int type, code;
    union { unsigned number; Wide wide; } value;
} FieldValue;

/* Whether a field has a value, which goes to out. */
static int field_number(const Device *device, const Field *field, Wide *out)
{
    Nanoseconds now = now_ns();
    const Meter *meter = field->scope == SCOPE_MODULE ? &device->module : &device->meter;
    int energy = !strcmp(field->source, "energy");
    if (!strcmp(field->source, "course")) {
        *out = (Wide)whole_at(&field->course, now);
        return 1;
    }
    if (!meter->there || (energy && !device->counts))
        return 0;
    Nanoseconds window = strcmp(field->source, "instant") ? meter->average : meter->seen;
    *out = energy ? counter_mj(meter, now) : (Wide)power_mw(meter, now, window);
    return 1;
}

static int fill(const Device *device, FieldValue *out)
{
    const Field *field = NULL;
    Wide found;
    for (int i = device->fields - 1; i >= 0; i--)
        if (device->field[i].id == out->id && device->field[i].scope == out->scope)
            field = &device->field[i];
    if (!field)
        return NOT_SUPPORTED;
    out->type = field->type;
    if (field->code)
        return field->code;
    if (!field_number(device, field, &found))
        return NOT_SUPPORTED;
    out->value.wide = 0;
    if (field->type == UNSIGNED_INT)
        out->value.number = (unsigned)found;
    else
        out->value.wide = found;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetFieldValues(Handle handle, int count, FieldValue *out)
{
    const Device *device = device_of(handle);
    int code = enter_costly("nvmlDeviceGetFieldValues", device);
    for (int i = 0; i < count && !code; i++) {
        out[i].timestamp = clock_ns() / 1000;
        out[i].latency = 0;
        out[i].code = fill(device, &out[i]);
    }
    return code;
}

/* Processes. */

typedef struct { unsigned pid; Wide used; unsigned gpu_instance, compute_instance; } ProcessInfo;

static int runs(const Process *process, const char *kind, Nanoseconds now)
{
    int over = process->until >= 0 && now >= process->until;
    return !strcmp(process->kind, kind) && process->from <= now && !over;
}

static int processes(
    const char *function, const char *kind, Handle handle, unsigned *count, ProcessInfo *out)
{
    const Device *device = device_of(handle);
    int code = enter_device(function, device);
    unsigned room = *count, found = 0;
    long long gpu = UINT_MAX, compute = UINT_MAX;
    if (code)
        return code;
    Nanoseconds now = now_ns();
    answer(device, "nvmlDeviceGetGpuInstanceId", 0, 0, &gpu);
    answer(device, "nvmlDeviceGetComputeInstanceId", 0, 0, &compute);
    for (int i = 0; i < device->processes; i++) {
        const Process *process = &device->process[i];
        if (!runs(process, kind, now) || found++ >= room)
            continue;
        out[found - 1].pid = process->pid < 0 ? (unsigned)getpid() : (unsigned)process->pid;
        out[found - 1].used = (Wide)process->used; /* -1 is how NVML says that it cannot tell */
        out[found - 1].gpu_instance = (unsigned)gpu;
        out[found - 1].compute_instance = (unsigned)compute;
    }
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}

#define PROCESSES(name, kind) \
    EXPORT int name(Handle device, unsigned *count, ProcessInfo *out) \
    { \
        return processes(#name, kind, device, count, out); \
    }

PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, "compute")
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, "graphics")
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2, "mps")
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, "mps")

/* Events: as in events.py. */

typedef struct {
    Handle device;
    Wide kind, data;
    unsigned gpu_instance, compute_instance;
} EventData;

static Set *set_of(Handle handle)
{
    long place = (long)handle - FIRST_SET;
    return place >= 0 && place < EVENT_SETS && script.set[place].used ? &script.set[place] : NULL;
}

EXPORT int nvmlEventSetCreate(Handle *out)
{
    int code = enter("nvmlEventSetCreate");
    for (long i = 0; i < EVENT_SETS && !code; i++)
        if (!script.set[i].used) {
            script.set[i].used = 1;
            *out = (Handle)(FIRST_SET + i);
            return SUCCESS;
        }
    return code ? code : INSUFFICIENT_SIZE;
}

EXPORT int nvmlDeviceRegisterEvents(Handle handle, Wide kinds, Handle events)
{
    const Device *device = device_of(handle);
    Set *set = set_of(events);
    int code = enter_device("nvmlDeviceRegisterEvents", device);
    long long supported;
    if (code || !set)
        return code ? code : INVALID_ARGUMENT;
    if (!answer(device, "nvmlDeviceGetSupportedEventTypes", 0, 0, &supported)
        || (kinds & ~(Wide)supported))
        return NOT_SUPPORTED;
    *GROW(set->registration, set->count) =
        (Registration){(int)(device - script.device), kinds, now_ns()};
    return SUCCESS;
}

static int wanted(const Set *set, const Event *event)
{
    for (int i = 0; i < set->count; i++) {
        const Registration *one = &set->registration[i];
        if (one->device == event->device && (one->kinds & event->kind) && one->since <= event->at)
            return 1;
    }
    return 0;
}

EXPORT int nvmlEventSetWait_v2(Handle events, EventData *out, unsigned timeout_ms)
{
    Set *set = set_of(events);
    int code = enter("nvmlEventSetWait_v2");
    if (code || !set)
        return code ? code : INVALID_ARGUMENT;
    Nanoseconds deadline = now_ns() + timeout_ms * 1000000LL;
    for (int i = set->told; i < script.events; i++) {
        const Event *event = &script.event[i];
        if (event->at > deadline || !wanted(set, event))
            continue;
        pass(event->at - now_ns());
        set->told = i + 1;
        *out = (EventData){
            handle_of(&script.device[event->device]), event->kind, event->data, UINT_MAX, UINT_MAX};
        return SUCCESS;
    }
    for (int i = 0; i < set->count; i++)
        if (is_lost(&script.device[set->registration[i].device]))
            return GPU_IS_LOST;
    pass(deadline - now_ns());
    return TIMEOUT;
}

EXPORT int nvmlEventSetFree(Handle events)
{
    Set *set = set_of(events);
    int code = enter("nvmlEventSetFree");
    if (code || !set)
        return code ? code : INVALID_ARGUMENT;
    free(set->registration);
    memset(set, 0, sizeof *set);
    return SUCCESS;
}
