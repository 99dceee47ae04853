/* Both clips side by side and in step: the reference's follows the upload's along the line. */

const MOST_DRIFT_S = 0.15;

function clipsOf(match) {
  const [queryClip, refClip] = match.clips;
  if (!queryClip && !refClip) return null;
  const player = { match, clips: match.clips, isPlaying: false, videos: [queryClip, refClip].map(videoOf) };
  const [queryVideo, refVideo] = player.videos;
  const play = button("Play", () => togglePlay(player), { testid: "play", class: "play", "aria-keyshortcuts": "Space" });
  player.button = play;
  const said = el("p", { class: "hint", role: "status" });
  player.videos.forEach((video, i) => {
    if (!video) return;
    video.addEventListener("error", () => (said.textContent = "This browser cannot play the clips."));
    video.addEventListener("ended", () => pause(player));
    video.setAttribute("aria-label", i ? "Clip of the reference" : "Clip of the upload");
  });
  follow("match", (_, by) => {
    if (by === "step") seek(player);
  });
  CLIPS.current = player;
  seek(player);
  return veiled(
    { class: "clips", testid: "clips" },
    el("div", { class: "two" }, clipFigure(queryVideo, "upload", queryClip), clipFigure(refVideo, "reference", refClip)),
    el("div", { class: "playing" }, play, el("span", { class: "hint" }, clipWords(match)), said),
  );
}

const CLIPS = { current: null };

function videoOf(clip, i) {
  if (!clip) return null;
  const video = el("video", {
    src: clip.file, preload: "auto", playsinline: true, width: clip.size[0], height: clip.size[1],
    testid: i ? "clip-ref" : "clip-query", disablepictureinpicture: true,
  });
  video.muted = true;
  return video;
}

function clipFigure(video, whose, clip) {
  const words = clip ? `Clip of the ${whose}, ${stretchWords(clip.at)}` : `No clip of the ${whose}`;
  return el("figure", {}, video || el("div", { class: "absent" }, "no clip"), el("figcaption", {}, words));
}

function clipWords(match) {
  const slope = rateOf(match);
  const rate = !match.clips[0] || !match.clips[1] || Math.abs(slope - 1) < 0.005 ? "" : `The reference plays at ${slope.toFixed(2)}x to stay in step. `;
  const ends = match.clips[0] && match.clips[0].at[1] < match.query_s[1] - 0.5;
  return `${rate}${ends ? `Clips end after ${lengthWords(match.clips[0].at[1] - match.clips[0].at[0])}; the match is longer.` : ""}`;
}

/* Without a line nothing says what keeps step with what: both play as they are. */
function rateOf(match) {
  return match.line ? match.line[0] : 1;
}

function togglePlay(player = CLIPS.current) {
  if (!player) return;
  if (player.isPlaying) pause(player);
  else startClips(player);
}

async function startClips(player) {
  const leader = player.videos[0] || player.videos[1];
  const clip = player.clips[player.videos[0] ? 0 : 1];
  if (leader.currentTime >= clip.at[1] - clip.at[0] - 0.1) moveTo(player.match.query_s[0], "step");
  player.isPlaying = true;
  player.button.textContent = "Pause";
  if (player.videos[0] && player.videos[1]) {
    player.videos[1].playbackRate = clamp(rateOf(player.match), 0.25, 4);
  }
  try {
    await Promise.all(player.videos.filter(Boolean).map((video) => video.play()));
    requestAnimationFrame(() => keepStep(player));
  } catch {
    pause(player);
  }
}

function pause(player) {
  player.isPlaying = false;
  player.button.textContent = "Play";
  for (const video of player.videos) video?.pause();
}

function stopClips() {
  if (CLIPS.current) pause(CLIPS.current);
  CLIPS.current = null;
}

/* Follow the clip of the upload with everything else, and pull the reference's back where it drifts. */
function keepStep(player) {
  if (!player.isPlaying || player !== CLIPS.current) return;
  const [queryVideo, refVideo] = player.videos;
  const [queryClip, refClip] = player.clips;
  const query_s = queryVideo
    ? queryClip.at[0] + queryVideo.currentTime
    : queryAt(player.match, refClip.at[0] + refVideo.currentTime);
  moveTo(query_s, "play");
  if (queryVideo && refVideo && !refVideo.ended && player.match.line) {
    const wanted = refAt(player.match, query_s) - refClip.at[0];
    if (Math.abs(refVideo.currentTime - wanted) > MOST_DRIFT_S) refVideo.currentTime = Math.max(0, wanted);
  }
  requestAnimationFrame(() => keepStep(player));
}

function seek(player) {
  const times = [HERE.query_s, refAt(player.match, HERE.query_s)];
  player.videos.forEach((video, i) => {
    if (video) video.currentTime = clamp(times[i] - player.clips[i].at[0], 0, player.clips[i].at[1] - player.clips[i].at[0]);
  });
}
