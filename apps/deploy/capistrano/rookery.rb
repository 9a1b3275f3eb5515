# frozen_string_literal: true

require "capistrano/scm/plugin"
require "fileutils"
require "json"
require "open3"
require "shellwords"
require "timeout"

# Brings Capistrano's releases to all hosts at once, through a swarm: here a release is packed and signed and its origin
# runs; each host fetches it, checks it to the byte, and gives to the others. Everything else stays Capistrano's.
# Its settings: docs/capistrano.md of Rookery.
class Capistrano::SCM::Rookery < Capistrano::SCM::Plugin
  Error = Class.new(StandardError)

  # What the host may still hold of an attempt that nobody has come back to.
  FORGOTTEN_AFTER_MINUTES = 24 * 60

  def set_defaults
    set_if_empty :repo_url, "."
    set_if_empty :rookery_key, "release.key"
    set_if_empty :rookery_app, -> { fetch(:application) }
    set_if_empty :rookery_version, -> { fetch(:rookery_folder) ? fetch(:release_timestamp) : fetch(:current_revision)[0, 12] }
    set_if_empty :rookery_path, -> { "tmp/rookery/#{fetch(:stage)}" }
    set_if_empty :rookery_command, "rookery-deploy"
    set_if_empty :rookery_local_command, -> { "node #{File.expand_path('../bin/rookery-deploy.js', __dir__).shellescape}" }
    set_if_empty :rookery_listen, "0.0.0.0:0"
    set_if_empty :rookery_seed_port, 0
    set_if_empty :rookery_web_seed_port, 0
    set_if_empty :rookery_fetch_port, 0
    set_if_empty :rookery_wait, 120
    set_if_empty :rookery_timeout, 1800
  end

  def register_hooks
    after "deploy:new_release_path", "rookery:create_release"
    before "deploy:check", "rookery:check"
    before "deploy:set_current_revision", "rookery:set_current_revision"
  end

  def define_tasks
    namespace :rookery do
      desc "Check the revision and the key here, and the program on every host"
      task(:check) { check }

      desc "Pack and sign the release here"
      task(:pack) { pack }

      desc "Bring the release to every host through the swarm"
      task(create_release: :pack) { create_release }

      desc "Determine the revision that will be deployed"
      task(:set_current_revision) { set_revision }
    end
  end

  private

  def check
    # The way back needs nothing of this.
    return if Rake::Task["deploy:rollback"].already_invoked

    take_lock
    key = fetch(:rookery_key)
    raise Error, "#{key}: there is no such key; make one with `rookery-deploy keygen --out #{key}`" unless File.file?(key)

    # A folder's version may be the time of its release, which has none yet.
    set_revision unless fetch(:rookery_folder)
    wanted = JSON.parse(File.read(File.expand_path("../package.json", __dir__))).fetch("version")
    on_every_host do |_host, backend|
      found = backend.capture(*words(:rookery_command), "--version").strip
      raise Error, "it has rookery-deploy #{found}, and here is #{wanted}: install the same" unless found == wanted
    end
  end

  # The commit, or the version where a folder is deployed.
  def set_revision
    return set(:current_revision, fetch(:rookery_version)) if fetch(:rookery_folder)
    return if @resolved

    update_mirror
    branch = fetch(:branch)
    commit, = Open3.capture2("git", "-C", mirror, "rev-parse", "--verify", "--quiet", "#{branch}^{commit}")
    raise Error, "#{repo_url}: there is no branch, tag or commit #{branch.inspect}" if commit.empty?

    @resolved = true
    set :current_revision, commit.strip
  end

  def update_mirror
    url = File.exist?(repo_url) ? File.expand_path(repo_url) : repo_url
    environment = { "GIT_TERMINAL_PROMPT" => "0" }
    if File.file?(File.join(mirror, "HEAD"))
      locally! "git", "-C", mirror, "remote", "set-url", "origin", url
      locally! environment, "git", "-C", mirror, "remote", "update", "--prune"
    else
      locally! environment, "git", "clone", "--quiet", "--mirror", url, mirror
    end
  end

  def pack
    take_lock
    set_revision
    tree = fetch(:rookery_folder) || export
    commit, environment = fetch(:rookery_folder) ? [[], {}] : [["--commit", fetch(:current_revision)], commit_time]
    # The release is a function of the commit: who is asked for it again has it already.
    packed = locally! environment, *program, "pack", tree, "--app", fetch(:rookery_app), "--version", fetch(:rookery_version),
                      "--key", fetch(:rookery_key), "--output", release_file, *commit, "--json"
    told = packed.each_line.map { |line| JSON.parse(line) }.find { |event| event["event"] == "packed" }
    @release = { tree: tree, id: told.fetch("release_id"), bytes: told.fetch("payload_bytes") }
  end

  # The same files that Capistrano's own git plugin unpacks on the hosts.
  def export
    tree = work("tree")
    FileUtils.rm_rf(tree)
    FileUtils.mkdir_p(tree)
    part = fetch(:repo_tree).to_s.delete_prefix("/").delete_suffix("/")
    parts = part.empty? ? [] : [part]
    strip = ["--strip-components", part.split("/").size.to_s]
    done = Open3.pipeline(["git", "-C", mirror, "archive", fetch(:current_revision), *parts],
                          ["tar", "-x", *strip, "-f", "-", "-C", tree])
    raise Error, "#{fetch(:current_revision)} #{part} could not be exported from #{mirror}" unless done.all?(&:success?)

    tree
  end

  def commit_time
    { "SOURCE_DATE_EPOCH" => locally!("git", "-C", mirror, "show", "--no-patch", "--format=%ct", fetch(:current_revision)).strip }
  end

  def create_release
    while_seeding do |tracker_port|
      on_every_host { |host, backend| fetch_on(host, backend, tracker_port) }
    end
    # Every host has it, and nobody needs to give any more: now it may be moved.
    on_every_host do |_host, backend|
      backend.execute :mv, "-T", host_tree, release_path
      backend.execute :rm, "-f", host_file("release"), host_file("pub")
    end
  end

  # Ends when the tree is there and nobody is known to need this host.
  def fetch_on(host, backend, tracker_port)
    backend.execute :mkdir, "-p", "-m", "700", host_folder.parent, host_folder
    backend.execute :find, host_folder, "-mindepth", 1, "-maxdepth", 1, "-mmin", "+#{FORGOTTEN_AFTER_MINUTES}",
                    "-exec", "rm", "-rf", "{}", "+"
    backend.upload! release_file, host_file("release").to_s
    trust = fetch(:rookery_trust) || host_file("pub").tap { |file| backend.upload! "#{fetch(:rookery_key)}.pub", file.to_s }
    options = {
      "--to" => host_tree, "--trust" => trust, "--tracker" => trackers(backend, tracker_port),
      "--reuse" => reused(backend), "--wait" => fetch(:rookery_wait), "--port" => fetch(:rookery_fetch_port),
      "--rack" => host.properties.rack
    }
    arguments = options.flat_map { |name, values| Array(values).flat_map { |value| [name, value.to_s.shellescape] } }
    backend.execute(*words(:rookery_command), "fetch", host_file("release"), *arguments)
  end

  def trackers(backend, port)
    return Array(fetch(:rookery_tracker)) if port.nil?

    # sshd tells by which address the host sees who is deploying.
    address = fetch(:rookery_address) || backend.capture("echo $SSH_CLIENT").split.first.to_s.delete_prefix("::ffff:")
    raise Error, "set :rookery_address: the host doesn't say where it sees this machine" if address.empty?

    ["http://#{address.include?(':') ? "[#{address}]" : address}:#{port}/announce"]
  end

  def reused(backend)
    return [] unless backend.test("[ -d #{current_path.to_s.shellescape}/. ]")

    [backend.capture(:readlink, "-f", current_path).strip]
  end

  # Runs the tracker, unless there is one, and an origin. Yields the port of the tracker that it runs.
  def while_seeding(&work)
    given = Array(fetch(:rookery_tracker))
    return while_giving(given) { work.call(nil) } if given.any?

    while_running("tracker", "--listen", fetch(:rookery_listen)) do |tracker|
      port = tracker.fetch("port")
      while_giving(["http://#{local_address}:#{port}/announce"]) { work.call(port) }
    end
  end

  def while_giving(trackers, &work)
    # Who has no bytes to fetch needs no origin.
    return work.call if @release[:bytes].zero?

    while_running("seed", release_file, @release[:tree], *trackers.flat_map { |url| ["--tracker", url] },
                  "--port", fetch(:rookery_seed_port).to_s, "--web-seed-port", fetch(:rookery_web_seed_port).to_s, &work)
  end

  def local_address
    host = fetch(:rookery_listen).rpartition(":").first
    { "0.0.0.0" => "127.0.0.1", "[::]" => "[::1]" }.fetch(host, host)
  end

  # Runs a command until the block ends, or this process, however that ends: the shell waits for the end of its stdin.
  # Yields what the command says first.
  def while_running(*command)
    guard = '"$@" & exec >/dev/null; cat; kill $!; wait'
    Open3.popen3("sh", "-c", guard, "sh", *program, *command, "--json", pgroup: true) do |input, output, errors, _|
      complaints = drain(errors)
      line = output.gets
      said = line ? JSON.parse(line) : {}
      unless %w[listening seeding].include?(said["event"])
        input.close
        raise Error, "rookery-deploy #{command.first} did not start: #{said['message'] || complaints.value.strip}"
      end
      # Its figures: a pipe that nobody reads would hold it up.
      drain(output)
      yield said
    ensure
      input.close
    end
  end

  def drain(stream)
    # It is closed under its reader when the command has ended.
    Thread.new { stream.read }.tap { |thread| thread.report_on_exception = false }
  end

  # All at once. Whatever fails on a host is kept until the others are done, and then told by the host's name.
  def on_every_host
    failures = Queue.new
    limit = fetch(:rookery_timeout)
    work = proc do |host, backend|
      Timeout.timeout(limit, Error, "not done within #{limit} s") { yield host, backend }
    rescue StandardError => e
      failures << "#{named(host)}: #{reason(e)}"
    end
    on(release_roles(:all), in: :parallel) { |host| work.call(host, self) }
    return if failures.empty?

    lines = Array.new(failures.size) { failures.pop }.sort
    raise Error, "nothing was switched; #{lines.size} failed:\n#{lines.join("\n")}"
  end

  def named(host)
    [host.hostname, host.port].compact.join(":")
  end

  def reason(error)
    said = error.is_a?(SSHKit::Command::Failed) ? error.message[/ stderr: (.*)\z/m, 1] : nil
    said.nil? || said == "Nothing written" ? error.message.strip : said.strip
  end

  # Two deployments of a stage from one folder would pack into each other's files. It is free when this process ends.
  def take_lock
    return if @lock

    FileUtils.mkdir_p(fetch(:rookery_path))
    @lock = File.open(work("lock"), File::RDWR | File::CREAT)
    return if @lock.flock(File::LOCK_EX | File::LOCK_NB)

    raise Error, "#{work('lock')}: another deployment of this stage is under way here"
  end

  def locally!(*command)
    output, errors, status = Open3.capture3(*command)
    return output if status.success?

    raise Error, "#{(errors.strip.empty? ? output : errors).strip} (#{command.grep(String).first(2).join(' ')})"
  end

  def program
    words(:rookery_local_command)
  end

  def words(setting)
    fetch(setting).shellsplit
  end

  def work(name)
    File.expand_path(name, fetch(:rookery_path))
  end

  def mirror
    work("repo")
  end

  def release_file
    work("app.release")
  end

  # Beside `releases`, on the same file system: what is there is moved, not copied. Nobody else may look into it.
  def host_folder
    deploy_path.join(".rookery", "capistrano")
  end

  # Named by what is in it: who tries again goes on where the host stands.
  def host_tree
    host_folder.join(@release[:id])
  end

  def host_file(kind)
    host_folder.join("#{@release[:id]}.#{kind}")
  end
end
